#include "test.h"

#include "base/buf.h"

static void add_keeps_nul(void **state)
{
	struct sn_buf b = SN_BUF(1000);

	(void)state;
	assert_int_equal(sn_buf_adds(&b, "ab"), 0);
	assert_int_equal(sn_buf_addf(&b, "%03d", 7), 0);
	assert_int_equal(sn_buf_add(&b, "", 0), 0);
	assert_string_equal(b.data, "ab007");
	assert_int_equal(b.len, 5);
	sn_buf_release(&b);
	assert_null(b.data);
	assert_int_equal(b.max_bytes, 1000);
}

static void ceiling(void **state)
{
	struct sn_buf b = SN_BUF(4);

	(void)state;
	assert_int_equal(sn_buf_adds(&b, "abcd"), 0);
	assert_int_equal(sn_buf_adds(&b, "e"), -E2BIG);
	assert_int_equal(sn_buf_addf(&b, "%s", "ef"), -E2BIG);
	assert_null(sn_buf_reserve(&b, SIZE_MAX));
	assert_string_equal(b.data, "abcd");
	assert_int_equal(sn_buf_add(&b, "", 0), 0);
	sn_buf_release(&b);
}

static void grows(void **state)
{
	struct sn_buf b = SN_BUF(1 << 20);

	(void)state;
	for (int i = 0; i < 100000; i++)
		assert_int_equal(sn_buf_add(&b, "0123456789", 10), 0);
	assert_int_equal(b.len, 1000000);
	assert_memory_equal(b.data + 999990, "0123456789", 11);
	sn_buf_release(&b);
}

static void reset_empties(void **state)
{
	struct sn_buf b = SN_BUF(100);

	(void)state;
	assert_int_equal(sn_buf_adds(&b, "old"), 0);
	sn_buf_reset(&b);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, ""); /* NUL-terminated behind len */
	sn_buf_release(&b);
	sn_buf_reset(&b);
	assert_null(b.data);
}

static void json_strings(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} CASES[] = {
		{"", 0, "\"\""},
		{"a\"b\\c", 5, "\"a\\\"b\\\\c\""},
		{"\0\n\x1f\x7f", 4, "\"\\u0000\\u000a\\u001f\\u007f\""},
		{"\xc3\xa4\xe2\x98\x83\xf0\x9f\x98\x80", 9, "\"\xc3\xa4\xe2\x98\x83\xf0\x9f\x98\x80\""},
		{"\xff", 1, "\"\xef\xbf\xbd\""},
		{"a\xc3", 2, "\"a\xef\xbf\xbd\""},
		{"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(CASES); i++) {
		struct sn_buf b = SN_BUF(100);

		assert_int_equal(sn_buf_add_json(&b, CASES[i].in, CASES[i].len), 0);
		assert_string_equal(b.data, CASES[i].out);
		sn_buf_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add_keeps_nul), cmocka_unit_test(ceiling),	 cmocka_unit_test(grows),
		cmocka_unit_test(reset_empties), cmocka_unit_test(json_strings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
