#include "test.h"

#include <dirent.h>

#include "base/buf.h"
#include "data/json.h"
#include "sys/dir.h"

#define SAMPLES "tests/data/workitems"

static int check(const char *text, size_t len)
{
	return sn_json_object(text, len, NULL, NULL, 0);
}

static void good(void **state)
{
	static const char *const CASES[] = {
		"{}",
		" \t\r\n{ } \n",
		"{\"a\":[]}",
		"{\"a\":[ ],\"b\":{ },\"c\":[{},[],{}]}",
		"{\"\":0,\".\":-0,\"a.b\":1.0,\"c\":-1.5e+3,\"d\":1E-400,\"e\":12345678901234567890123}",
		"{\"a\":\"\\u0000\\ud800\\uDFFF\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
		"{\"a\":\"\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"}",
		"{\"a\":1,\"a\":2}",
		"{\"a\":1.7976931348623157e308}",
		"{\"t\":true,\"f\":false,\"n\":null}",
		"{\"a\":0.00000000000000000000000000000000000000000000000000000000000000000000001e1}",
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(CASES); i++) {
		if (check(CASES[i], strlen(CASES[i])) != 0)
			fail_msg("refused: %s", CASES[i]);
	}
}

static const char *const BAD[] = {
	"",
	" ",
	"{",
	"}",
	"{}}",
	"{} x",
	"{},",
	"{}{}",
	"[",
	"{\"a\"}",
	"{\"a\":}",
	"{\"a\":1,}",
	"{,}",
	"{a:1}",
	"{'a':1}",
	"{\"a\":1 \"b\":2}",
	"{\"a\":[1,]}",
	"{\"a\":[,1]}",
	"{\"a\":[1 2]}",
	"{\"a\":{]}",
	"{\"a\":[}}",
	"{\"a\":01}",
	"{\"a\":+1}",
	"{\"a\":.5}",
	"{\"a\":1.}",
	"{\"a\":1e}",
	"{\"a\":1e+}",
	"{\"a\":-}",
	"{\"a\":0x1}",
	"{\"a\":NaN}",
	"{\"a\":Infinity}",
	"{\"a\":-Infinity}",
	"{\"a\":1e400}",
	"{\"a\":-1e400}",
	"{\"a\":[1e309]}",
	"{\"a\":tru}",
	"{\"a\":True}",
	"{\"a\":nul}",
	"{\"a\":truex}",
	"{\"a\":\"}",
	"{\"a\":\"\n\"}",
	"{\"a\":\"\t\"}",
	"{\"a\":\"\\x\"}",
	"{\"a\":\"\\u12\"}",
	"{\"a\":\"\\u12g4\"}",
	"{\"a\":\"\\",
	"{\"a\":\"\\u123",
	"\xef\xbb\xbf{}",
	"{\"a\":1}//",
	"{\"a\":/**/1}",
	"{\"a\":\"\x80\"}",
	"{\"a\":\"\xc0\x80\"}",
	"{\"a\":\"\xc1\xbf\"}",
	"{\"a\":\"\xe0\x9f\xbf\"}",
	"{\"a\":\"\xed\xa0\x80\"}",
	"{\"a\":\"\xed\xbf\xbf\"}",
	"{\"a\":\"\xf0\x8f\xbf\xbf\"}",
	"{\"a\":\"\xf4\x90\x80\x80\"}",
	"{\"a\":\"\xf5\x80\x80\x80\"}",
	"{\"a\":\"\xc3\"}",
	"{\"a\":\"\xe2\x98\"}",
	"{\"a\":\"\xf0\x9f\x98\"}",
	"{\"\xff\":1}",
	"{\"a\":\xc2\xa0 1}",
	"{\"a\":1}\x0b",
	"{\"a\":\x0c 1}",
};

static void bad(void **state)
{
	(void)state;
	for (size_t i = 0; i < SN_COUNT(BAD); i++) {
		if (check(BAD[i], strlen(BAD[i])) != -EBADMSG)
			fail_msg("accepted: %s", BAD[i]);
	}
}

/* Strings are looked at in blocks: every byte, at every place of a block, with what is left of the text from nothing to
 * more than a block. */
static void every_byte_everywhere(void **state)
{
	(void)state;
	for (size_t len = 1; len <= 40; len++) {
		for (size_t at = 0; at < len; at++) {
			for (unsigned c = 0; c < 256; c++) {
				char text[64] = "{\"a\":\"";
				const bool fine = c >= 0x20 && c < 0x80 && c != '"' && c != '\\';

				memset(text + 6, 'x', len);
				text[6 + at] = (char)c;
				memcpy(text + 6 + len, "\"}", 2);
				if (c == '\\' && at + 1 < len)
					text[6 + at + 1] = 'n';
				assert_int_equal(check(text, len + 8) == 0,
						 fine || (c == '\\' && at + 1 < len));
			}
		}
	}
}

static void nul_bytes(void **state)
{
	(void)state;
	assert_int_equal(check("{}\0", 3), -EBADMSG);
	assert_int_equal(check("\0{}", 3), -EBADMSG);
	assert_int_equal(check("{\0}", 3), -EBADMSG);
	assert_int_equal(check("{\"a\0\":1}", 8), -EBADMSG);
	assert_int_equal(check("{\"a\":\"\\\0\"}", 10), -EBADMSG);
	assert_int_equal(check("{\"a\":\"\\u\0\0\0\0\"}", 14), -EBADMSG);
}

static void not_objects(void **state)
{
	static const char *const CASES[] = {"1", "\"x\"", "[]", "[{}]", "null", " true ", "-1.5e3"};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(CASES); i++)
		assert_int_equal(check(CASES[i], strlen(CASES[i])), -ENOTSUP);
}

/* n times `open`, a 1, n times `close`, as the value of "a". */
static int nested(unsigned n, const char *open, const char *close)
{
	struct sn_buf b = SN_BUF(1 << 20);
	int r;

	assert_int_equal(sn_buf_adds(&b, "{\"a\":"), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(sn_buf_adds(&b, open), 0);
	assert_int_equal(sn_buf_adds(&b, "1"), 0);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(sn_buf_adds(&b, close), 0);
	assert_int_equal(sn_buf_adds(&b, "}"), 0);
	r = check(b.data, b.len);
	sn_buf_release(&b);
	return r;
}

static void depth(void **state)
{
	(void)state;
	assert_int_equal(nested(SN_JSON_DEPTH - 1, "[", "]"), 0);
	assert_int_equal(nested(SN_JSON_DEPTH - 1, "{\"x\":", "}"), 0);
	assert_int_equal(nested(SN_JSON_DEPTH, "[", "]"), -EBADMSG);
	assert_int_equal(nested(SN_JSON_DEPTH, "{\"x\":", "}"), -EBADMSG);
	assert_int_equal(nested(100000, "[", "]"), -EBADMSG);
}

static void long_numbers(void **state)
{
	char text[2048];

	(void)state;
	memset(text, '1', sizeof text);
	memcpy(text, "{\"a\":", 5);
	text[300] = '}';
	assert_int_equal(check(text, 301), 0); /* 295 digits fit */
	text[300] = '1';
	text[1000] = '}';
	assert_int_equal(check(text, 1001), -EBADMSG);
	text[6] = '.';
	assert_int_equal(check(text, 1001), 0);
}

static void expect_span(const char *text, const char *key, const char *want)
{
	struct sn_span v = {.data = "x", .len = 1};

	assert_int_equal(sn_json_object(text, strlen(text), &key, &v, 1), 0);
	if (want == NULL) {
		assert_null(v.data);
		return;
	}
	if (v.data == NULL)
		fail_msg("not found in %s", text);
	assert_int_equal(v.len, strlen(want));
	assert_memory_equal(v.data, want, v.len);
}

static void spans(void **state)
{
	(void)state;
	expect_span("{\"a\":1,\"fei\" : {\"x\":[1, 2]} ,\"b\":2}", "fei", "{\"x\":[1, 2]}");
	expect_span("{\"fei\":1,\"fei\":2}", "fei", "2");
	expect_span("{\"a\":{\"fei\":1}}", "fei", NULL);
	expect_span("{\"Fei\":1,\"fe\":1,\"feix\":1}", "fei", NULL);
	expect_span("{\"fei\":-1.5e3}", "fei", "-1.5e3");
	expect_span("{}", "fei", NULL);
}

/* Every other parser decodes keys: `"\u0066ei"` is fei, for the engine too. */
static void escaped_keys(void **state)
{
	(void)state;
	expect_span("{\"\\u0066ei\":1}", "fei", "1");
	expect_span("{\"fei\":1,\"f\\u0065\\u0069\":2}", "fei", "2");
	expect_span("{\"fei\":1,\"\\u0066\\u0065\\u0069\":{}}", "fei", "{}");
	expect_span("{\"fe\\u0049\":1}", "fei", NULL);
	expect_span("{\"fei\\u0000\":1}", "fei", NULL);
	expect_span("{\"\\u0166ei\":1}", "fei", NULL);
	expect_span("{\"a\\/b\":1}", "a/b", "1");
	expect_span("{\"a\\nb\":1}", "a\nb", "1");
	expect_span("{\"a\\nb\":1}", "anb", NULL);
}

static void check_sample(const char *name, const char *text, size_t len)
{
	int want = strcmp(name, "field_message_string.json") == 0 ? -EBADMSG : 0;

	if (check(text, len) != want)
		fail_msg("%s: not %d", name, want);
	/* Cut short at every byte it is never whole, and nothing behind the end is read. */
	for (size_t cut = 0; cut < len && cut < 5000 && want == 0; cut++) {
		char *copy = malloc(cut > 0 ? cut : 1);

		assert_non_null(copy);
		memcpy(copy, text, cut);
		if (check(copy, cut) != -EBADMSG && text[len - 1] == '}')
			fail_msg("%s: accepted when cut at %zu", name, cut);
		free(copy);
	}
}

static void samples(void **state)
{
	DIR *dir = opendir(SAMPLES);
	struct dirent *e;
	int count = 0;

	(void)state;
	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		struct sn_buf b = SN_BUF(1 << 26);

		if (strstr(e->d_name, ".json") == NULL)
			continue;
		assert_int_equal(sn_dir_read(dirfd(dir), e->d_name, &b), 0);
		check_sample(e->d_name, b.data, b.len);
		sn_buf_release(&b);
		count++;
	}
	(void)closedir(dir);
	assert_true(count > 60);
}

static struct sn_span span(const char *text)
{
	return (struct sn_span){.data = text, .len = strlen(text)};
}

static void elements(void **state)
{
	static const struct {
		const char *array, *joined;
	} CASES[] = {
		{"[]", ""},
		{"[ ]", ""},
		{"[1]", "1|"},
		{" [1]", ""}, /* a span begins with its value */
		{"[ 1 , \"a,]\\\"\" ,[2,[3]], {\"x\":[4]},null ]", "1|\"a,]\\\"\"|[2,[3]]|{\"x\":[4]}|null|"},
		{"{}", ""},
		{"\"[1]\"", ""},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(CASES); i++) {
		struct sn_buf b = SN_BUF(1000);
		struct sn_span one = {0};

		while (sn_json_next(span(CASES[i].array), &one)) {
			assert_int_equal(sn_buf_add(&b, one.data, one.len), 0);
			assert_int_equal(sn_buf_add(&b, "|", 1), 0);
		}
		assert_string_equal(b.data == NULL ? "" : b.data, CASES[i].joined);
		sn_buf_release(&b);
	}
	assert_false(sn_json_next((struct sn_span){0}, &(struct sn_span){0}));
}

static void texts(void **state)
{
	char text[64];
	size_t len;

	(void)state;
	len = sn_json_text(span("\"a\\u00e4\\n\\/\\\\\\\"\\ud83d\\ude00\""), text, sizeof text);
	assert_string_equal(text, "a\xc3\xa4\n/\\\"\xf0\x9f\x98\x80");
	assert_int_equal(len, strlen(text));
	(void)sn_json_text(span("\"\\ud83d\\n\\ude00\\ud83d\\u0041\\ud83d\""), text, sizeof text);
	assert_string_equal(text, "?\n??A?");
	assert_int_equal(sn_json_text(span("\"a\\u0000b\""), text, sizeof text), 3);
	assert_memory_equal(text, "a\0b", 4);
	assert_int_equal(sn_json_text(span("\"a\xc3\xa4z\""), text, 3),
			 1); /* not half a character, and nothing behind it */
	assert_string_equal(text, "a");
	assert_int_equal(sn_json_text(span("17"), text, sizeof text), 0);
	assert_int_equal(sn_json_text((struct sn_span){0}, text, sizeof text), 0);
	assert_string_equal(text, "");
}

static void numbers(void **state)
{
	(void)state;
	assert_int_equal(sn_json_number(span("-17"), 3), -17);
	assert_int_equal(sn_json_number(span("1.5"), 3), 3);
	assert_int_equal(sn_json_number(span("99999999999999999999"), 3), 3);
	assert_int_equal(sn_json_number(span("\"1\""), 3), 3);
	assert_int_equal(sn_json_number((struct sn_span){0}, 3), 3);
	assert_true(sn_json_is(span("true"), "true"));
	assert_false(sn_json_is(span("true"), "tru"));
	assert_false(sn_json_is((struct sn_span){0}, ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_everywhere),
		cmocka_unit_test(good),
		cmocka_unit_test(bad),
		cmocka_unit_test(nul_bytes),
		cmocka_unit_test(depth),
		cmocka_unit_test(long_numbers),
		cmocka_unit_test(not_objects),
		cmocka_unit_test(spans),
		cmocka_unit_test(escaped_keys),
		cmocka_unit_test(samples),
		cmocka_unit_test(elements),
		cmocka_unit_test(texts),
		cmocka_unit_test(numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
