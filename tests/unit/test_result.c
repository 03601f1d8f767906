#include "test.h"

#include "data/result.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD                                                                                                     \
	"outcome: ok\nattempt: 1\nstarted: 2026-11-22T10:54:43.865116Z\nfinished: 2026-11-22T10:54:43.901200Z\n" \
	"send: reply\n"
#define NAME "20261122T105443.865116-0000-9f86d081884c7d65-w"
#define GOOD HEAD "length: 3\nsha256: " HEX64 "\n\nabc"

static int parse(const char *text, size_t len, struct sn_result *res, size_t *at)
{
	return sn_result_parse(text, len, res, at);
}

static void round_trip(void **state)
{
	(void)state;
	for (int o = 0; o < SN_OUTCOMES; o++) {
		for (int s = 0; s < SN_SENDS; s++) {
			struct sn_result res = {.outcome = (enum sn_outcome)o,
						.send = (enum sn_send)s,
						.attempt = 999,
						.started_us = 1,
						.finished_us = 1795344883901200,
						.message = o % 3 == 0 ? SN_MESSAGE_MAX : 0,
						.length = 5};
			struct sn_buf b = SN_BUF(SN_RESULT_HEADER_MAX);
			struct sn_result got;
			size_t at = 0;

			memcpy(res.name, o % 2 == 0 ? NAME : "", o % 2 == 0 ? sizeof NAME : 1);
			memcpy(res.sha256, s % 2 == 0 ? HEX64 : "", s % 2 == 0 ? 65 : 1);
			assert_int_equal(sn_result_format(&res, &b), 0);
			assert_int_equal(sn_buf_adds(&b, "\n\n\0x\n"), 0);
			assert_int_equal(sn_buf_add(&b, "\0\0\0", 3), 0);
			assert_int_equal(parse(b.data, b.len, &got, &at), 0);
			assert_int_equal(at, b.len - 5);
			assert_int_equal(got.outcome, o);
			assert_int_equal(got.send, s);
			assert_int_equal(got.attempt, 999);
			assert_int_equal(got.started_us, 1);
			assert_int_equal(got.finished_us, 1795344883901200);
			assert_string_equal(got.sha256, res.sha256);
			assert_string_equal(got.name, res.name);
			assert_int_equal(got.message, res.message);
			sn_buf_release(&b);
		}
	}
}

static void words(void **state)
{
	enum sn_outcome o = SN_CRASH;
	enum sn_send s = SN_SEND_LAUNCH;

	(void)state;
	for (int i = 0; i < SN_OUTCOMES; i++) {
		assert_int_equal(sn_outcome_parse(sn_outcome_name((enum sn_outcome)i), &o), 0);
		assert_int_equal(o, i);
	}
	for (int i = 0; i < SN_SENDS; i++) {
		assert_int_equal(sn_send_parse(sn_send_name((enum sn_send)i), &s), 0);
		assert_int_equal(s, i);
	}
	assert_int_equal(sn_outcome_parse("OK", &o), -EINVAL);
	assert_int_equal(sn_send_parse("", &s), -EINVAL);
	assert_int_equal(o, SN_INVALID);
	assert_int_equal(s, SN_SEND_LAUNCH);
}

static void order_does_not_matter(void **state)
{
	static const char TEXT[] = "length: 0\nsend: nothing\nfinished: 2026-11-22T10:54:43.901200Z\n"
				   "started: 2026-11-22T10:54:43.865116Z\nattempt: 7\noutcome: timeout\n\n";
	struct sn_result res;
	size_t at;

	(void)state;
	assert_int_equal(parse(TEXT, sizeof TEXT - 1, &res, &at), 0);
	assert_int_equal(at, sizeof TEXT - 1);
	assert_int_equal(res.outcome, SN_TIMED_OUT);
	assert_int_equal(res.attempt, 7);
	assert_string_equal(res.sha256, "");
}

static const char *const MALFORMED[] = {
	"",
	"\n",
	"\n\n",
	"outcome: ok\n\n",
	HEAD "\n",			      /* no length */
	"outcome: ok\n" HEAD "length: 0\n\n", /* twice */
	HEAD "length: 0\nlength: 0\n\n",
	HEAD "length: -1\n\n",
	HEAD "length: \n\n",
	HEAD "length: 0x1\n\n",
	HEAD "length:  1\n\n",
	HEAD "length: 1 \n\n",
	HEAD "length: 9999999999999999999\n\n",
	HEAD "length: 18446744073709551616\n\n",
	HEAD "length: 0\r\n\r\n",
	HEAD "length:0\n\n",
	HEAD "Length: 0\n\n",
	HEAD "length: 0\nother: 1\n\n",
	HEAD "length: 0\n : \n\n",
	HEAD "length: 0\nno colon\n\n",
	HEAD "length: 0\nsha256: \n\n",
	HEAD "length: 0\nsha256: " HEX64 "0\n\n",
	HEAD "length: 0\nsha256: 0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\n\n",
	HEAD "length: 0\nworkitem: \n\n",
	HEAD "length: 0\nworkitem: ../" NAME "\n\n",
	HEAD "length: 0\nworkitem: " NAME ",a1\n\n",
	HEAD "length: 0\nworkitem: " NAME "\nworkitem: " NAME "\n\n",
	HEAD "length: 0\nmessage: 0\n\n",
	HEAD "length: 0\nmessage: 10000\n\n",
	HEAD "length: 0\nmessage: 4294967297\n\n",
	HEAD "length: 0\nmessage: 1\nmessage: 1\n\n",
	HEAD "length: 0\n", /* no empty line */
	HEAD "length: 0",
	"outcome: fine\nattempt: 1\nstarted: 2026-11-22T10:54:43.865116Z\nfinished: 2026-11-22T10:54:43.901200Z\n"
	"send: reply\nlength: 0\n\n",
	"outcome: ok\nattempt: 0\nstarted: 2026-11-22T10:54:43.865116Z\nfinished: 2026-11-22T10:54:43.901200Z\n"
	"send: reply\nlength: 0\n\n",
	"outcome: ok\nattempt: 1000\nstarted: 2026-11-22T10:54:43.865116Z\nfinished: 2026-11-22T10:54:43.901200Z\n"
	"send: reply\nlength: 0\n\n",
	"outcome: ok\nattempt: 4294967297\nstarted: 2026-11-22T10:54:43.865116Z\n"
	"finished: 2026-11-22T10:54:43.901200Z\nsend: reply\nlength: 0\n\n",
	"outcome: ok\nattempt: 1\nstarted: yesterday\nfinished: 2026-11-22T10:54:43.901200Z\n"
	"send: reply\nlength: 0\n\n",
	"outcome: ok\nattempt: 1\nstarted: 2026-11-22T10:54:43.865116Z\nfinished: 2026-11-22T10:54:43.901200Z\n"
	"send: all\nlength: 0\n\n",
};

static void malformed(void **state)
{
	(void)state;
	for (size_t i = 0; i < SN_COUNT(MALFORMED); i++) {
		struct sn_result res = {.attempt = 77};
		size_t at = 88;

		if (parse(MALFORMED[i], strlen(MALFORMED[i]), &res, &at) != -EINVAL)
			fail_msg("accepted: %s", MALFORMED[i]);
		assert_int_equal(res.attempt, 77);
		assert_int_equal(at, 88);
	}
}

static void hostile_lengths(void **state)
{
	static const char *const CASES[] = {
		HEAD "length: 4\n\nabc",	  HEAD "length: 2\n\nabc",
		HEAD "length: 0\n\nabc",	  HEAD "length: 999999999999999999\n\nabc",
		HEAD "length: 4294967299\n\nabc",
	};
	struct sn_result res;
	size_t at;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(CASES); i++)
		assert_int_equal(parse(CASES[i], strlen(CASES[i]), &res, &at), -EBADMSG);
}

static void nul_and_long_lines(void **state)
{
	char text[400];
	struct sn_result res;
	size_t at;

	(void)state;
	memset(text, 'a', sizeof text);
	assert_int_equal(parse(text, sizeof text, &res, &at), -EINVAL);
	text[200] = '\n';
	assert_int_equal(parse(text, sizeof text, &res, &at), -EINVAL);
	assert_int_equal(parse("outcome: ok\0\n\n", 14, &res, &at), -EINVAL);
	memset(text, '\0', sizeof text);
	assert_int_equal(parse(text, sizeof text, &res, &at), -EINVAL);
}

/* Cut at every byte, and with every byte changed: never more than what is there is believed. */
static void every_byte(void **state)
{
	static const char TEXT[] = GOOD;
	struct sn_result res;
	size_t at;

	(void)state;
	assert_int_equal(parse(TEXT, sizeof TEXT - 1, &res, &at), 0);
	for (size_t cut = 0; cut < sizeof TEXT - 1; cut++) {
		char *copy = malloc(cut + 1);

		assert_non_null(copy);
		memcpy(copy, TEXT, cut);
		if (parse(copy, cut, &res, &at) == 0)
			fail_msg("accepted when cut at %zu", cut);
		free(copy);
	}
	for (size_t i = 0; i < sizeof TEXT - 1; i++) {
		for (int c = 0; c < 256; c++) {
			char copy[sizeof TEXT];

			memcpy(copy, TEXT, sizeof TEXT);
			copy[i] = (char)c;
			if (parse(copy, sizeof TEXT - 1, &res, &at) == 0)
				assert_int_equal(at + res.length, sizeof TEXT - 1);
		}
	}
}

/* Of a header that is still being written one cannot say that it is none; of what is none one can. */
static void heads(void **state)
{
	static const char TEXT[] = GOOD;
	char junk[SN_RESULT_HEADER_MAX];
	struct sn_result res = {.attempt = 77};
	size_t at = 88, head = strlen(TEXT) - 3;

	(void)state;
	for (size_t cut = 0; cut < head; cut++)
		assert_int_equal(sn_result_parse_head(TEXT, cut, &res, &at), -EAGAIN);
	assert_int_equal(at, 88);
	assert_int_equal(res.attempt, 77);
	for (size_t cut = head; cut <= strlen(TEXT);
	     cut++) { /* the body may be on its way, and others behind it */
		assert_int_equal(sn_result_parse_head(TEXT, cut, &res, &at), 0);
		assert_int_equal(at, head);
	}
	memset(junk, 'a', sizeof junk);
	assert_int_equal(sn_result_parse_head(junk, 127, &res, &at), -EAGAIN);
	assert_int_equal(sn_result_parse_head(junk, 128, &res, &at), -EINVAL);
	assert_int_equal(sn_result_parse_head("\n", 1, &res, &at), -EINVAL);
	assert_int_equal(sn_result_parse_head("x\n", 2, &res, &at), -EINVAL);
	assert_int_equal(sn_result_parse_head("\0\n", 2, &res, &at), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(words),
		cmocka_unit_test(order_does_not_matter),
		cmocka_unit_test(malformed),
		cmocka_unit_test(hostile_lengths),
		cmocka_unit_test(nul_and_long_lines),
		cmocka_unit_test(every_byte),
		cmocka_unit_test(heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
