#include "test.h"

#include "base/clock.h"
#include "data/name.h"

#define NAME "20261122T105443.865116-0000-9f86d081884c7d65-20261122-1052-gomozuni-pebugure"

static void made_names_are_valid(void **state)
{
	static const char *const WFIDS[] = {
		NULL,
		"",
		"20261122-1052-gomozuni",
		"../../etc/passwd",
		"a\nb\xff\x01 ,a1.m0001",
		"0123456789012345678901234567890123456789012345678901234567890123456789"};
	struct sn_name_clock clock = {0};
	char last[SN_NAME_SIZE] = "";

	(void)state;
	for (size_t i = 0; i < SN_COUNT(WFIDS); i++) {
		char name[SN_NAME_SIZE], date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE];

		sn_name_make(&clock, 0x9f86d081884c7d65, WFIDS[i], name);
		assert_true(sn_name_valid(name));
		assert_true(strcmp(name, last) > 0);
		assert_int_equal(sn_name_digest(name), 0x9f86d081884c7d65);
		assert_int_equal(sn_name_time_us(name), clock.last_us);
		sn_name_bucket(name, date, bucket);
		assert_memory_equal(name, date, 8);
		assert_memory_equal(name + 9, bucket, 4);
		memcpy(last, name, sizeof last);
	}
}

static void label_is_cut_and_cleaned(void **state)
{
	struct sn_name_clock clock = {0};
	char name[SN_NAME_SIZE];

	(void)state;
	sn_name_make(&clock, 0, "a/b", name);
	assert_string_equal(name + SN_NAME_FIXED, "a_b");
	sn_name_make(&clock, UINT64_MAX, "0123456789012345678901234567890123456789X", name);
	assert_string_equal(name + SN_NAME_FIXED, "0123456789012345678901234567890123456789");
	assert_int_equal(strlen(name), SN_NAME_MAX);
	assert_int_equal(sn_name_digest(name), UINT64_MAX);
}

static void time_never_goes_back(void **state)
{
	struct sn_name_clock clock = {0};
	char a[SN_NAME_SIZE], b[SN_NAME_SIZE];

	(void)state;
	sn_name_clock_seed(&clock, "20991231T235959.999999-0000-0000000000000000-x");
	sn_name_clock_seed(&clock, "junk");
	sn_name_clock_seed(&clock, NAME); /* older: changes nothing */
	sn_name_make(&clock, 1, "x", a);
	assert_memory_equal(a, "21000101T000000.000000", 22);
	sn_name_make(&clock, 1, "x", b);
	assert_true(strcmp(b, a) > 0);
}

static void next_seq(void **state)
{
	char name[SN_NAME_SIZE] = NAME;

	(void)state;
	for (unsigned i = 1; i <= 0xffff; i++) {
		char seq[5];

		assert_int_equal(sn_name_next_seq(name), 0);
		(void)snprintf(seq, sizeof seq, "%04x", i);
		assert_memory_equal(name + 23, seq, 4);
	}
	assert_true(sn_name_valid(name));
	assert_int_equal(sn_name_next_seq(name), -EOVERFLOW);
}

static void bad_names(void **state)
{
	static const char *const CASES[] = {
		"",
		".",
		"..",
		"20261122T105443.865116-0000-9f86d081884c7d65-",
		"20261122T105443.865116-0000-9f86d081884c7d65",
		"20261122t105443.865116-0000-9f86d081884c7d65-x",
		"20261122T105443,865116-0000-9f86d081884c7d65-x",
		"20261322T105443.865116-0000-9f86d081884c7d65-x",
		"20260022T105443.865116-0000-9f86d081884c7d65-x",
		"20261100T105443.865116-0000-9f86d081884c7d65-x",
		"20261132T105443.865116-0000-9f86d081884c7d65-x",
		"20261122T245443.865116-0000-9f86d081884c7d65-x",
		"20261122T106043.865116-0000-9f86d081884c7d65-x",
		"20261122T105461.865116-0000-9f86d081884c7d65-x",
		"20261122T105443.865116-000g-9f86d081884c7d65-x",
		"20261122T105443.865116-0000-9F86d081884c7d65-x",
		"20261122T105443.865116-0000-9f86d081884c7d65-a/b",
		"20261122T105443.865116-0000-9f86d081884c7d65-a.b",
		"20261122T105443.865116-0000-9f86d081884c7d65-x,a1",
		"20261122T105443.865116-0000-9f86d081884c7d65-x\n",
		"20261122T105443.865116-0000-9f86d081884c7d65-01234567890123456789012345678901234567890",
		"2026112\xb2T105443.865116-0000-9f86d081884c7d65-x",
	};

	(void)state;
	assert_true(sn_name_valid(NAME));
	for (size_t i = 0; i < SN_COUNT(CASES); i++) {
		if (sn_name_valid(CASES[i]))
			fail_msg("accepted: %s", CASES[i]);
	}
}

/* Every single byte of a good name, changed to every other byte: never valid with a byte outside the alphabet. */
static void mutated_names(void **state)
{
	(void)state;
	for (size_t at = 0; at < strlen(NAME); at++) {
		for (int c = 0; c < 256; c++) {
			char name[SN_NAME_SIZE] = NAME;

			name[at] = (char)c;
			if (sn_name_valid(name) && (c == '/' || c == '.' || c <= ' ' || c >= 0x7f) &&
			    !(at == 15 && c == '.') && c != '\0')
				fail_msg("byte %d at %zu accepted", c, at);
		}
	}
}

static void marks(void **state)
{
	static const char *const BAD[] = {
		"", ".hold", NAME, NAME ".again", NAME ".hold.hold", NAME ",a1.hold", "x.hold"};
	char leaf[SN_ATTEMPT_SIZE], name[SN_NAME_SIZE];

	(void)state;
	sn_mark_format(NAME, SN_MARK_HOLD, leaf);
	assert_string_equal(leaf, NAME ".hold");
	assert_true(sn_mark_parse(leaf, SN_MARK_HOLD, name));
	assert_string_equal(name, NAME);
	for (size_t i = 0; i < SN_COUNT(BAD); i++)
		assert_false(sn_mark_parse(BAD[i], SN_MARK_HOLD, name));
}

static void attempts(void **state)
{
	static const char *const BAD[] = {
		NAME,	       NAME ",",    NAME ",a",	   NAME ",a0",	     NAME ",a01",
		NAME ",a1000", NAME ",a1 ", NAME ",a1,a2", NAME ",a1.m0001", "x,a1",
		",a1",	       NAME ",A1",  NAME ",a-1"};
	char leaf[SN_ATTEMPT_SIZE], name[SN_NAME_SIZE];
	unsigned n;

	(void)state;
	for (unsigned a = 1; a <= SN_ATTEMPT_MAX; a++) {
		sn_attempt_format(NAME, a, leaf);
		assert_int_equal(sn_attempt_parse(leaf, name, &n), 0);
		assert_string_equal(name, NAME);
		assert_int_equal(n, a);
	}
	for (size_t i = 0; i < SN_COUNT(BAD); i++) {
		n = 77;
		(void)snprintf(name, sizeof name, "kept");
		if (sn_attempt_parse(BAD[i], name, &n) != -EINVAL)
			fail_msg("accepted: %s", BAD[i]);
		assert_int_equal(n, 77);
		assert_string_equal(name, "kept");
	}
}

static void messages(void **state)
{
	static const char *const BAD[] = {NAME,		  NAME ".m",	 NAME ".m0000",	   NAME ".m001",
					  NAME ".m00001", NAME ".m00a1", NAME ",a1.m0001", "x.m0001",
					  ".m0001"};
	char name[SN_NAME_SIZE];
	unsigned n;

	(void)state;
	assert_int_equal(sn_message_parse(NAME ".m0001", name, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(name, NAME);
	assert_int_equal(sn_message_parse(NAME ".m9999", name, &n), 0);
	assert_int_equal(n, 9999);
	for (size_t i = 0; i < SN_COUNT(BAD); i++) {
		if (sn_message_parse(BAD[i], name, &n) != -EINVAL)
			fail_msg("accepted: %s", BAD[i]);
	}
}

static void participants(void **state)
{
	static const char *const GOOD[] = {
		"P1",	   "a",	  "0",
		"a.b_c-d", "x..", "0123456789012345678901234567890123456789012345678901234567890123"};
	static const char *const BAD[] = {
		"",	      ".",
		"..",	      "-a",
		"_a",	      ".a",
		"a/b",	      "a b",
		"a\n",	      "\xc3\xa4",
		"amqp-spool", "01234567890123456789012345678901234567890123456789012345678901234"};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(GOOD); i++)
		assert_true(sn_participant_valid(GOOD[i]));
	for (size_t i = 0; i < SN_COUNT(BAD); i++)
		assert_false(sn_participant_valid(BAD[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_names_are_valid),
		cmocka_unit_test(label_is_cut_and_cleaned),
		cmocka_unit_test(time_never_goes_back),
		cmocka_unit_test(next_seq),
		cmocka_unit_test(bad_names),
		cmocka_unit_test(mutated_names),
		cmocka_unit_test(marks),
		cmocka_unit_test(attempts),
		cmocka_unit_test(messages),
		cmocka_unit_test(participants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
