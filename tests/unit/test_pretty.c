#include "test.h"

#include "svc/pretty.h"

static void lines(void **state)
{
	static const struct {
		const char *in, *out;
	} CASES[] = {
		{"", NULL},
		{"a b \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "a b \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"},
		{"\x1b[1m\n\x7f", "\\x1b[1m\\x0a\\x7f"},
		{"\xc2\x9b\xc2\xa0", "\\xc2\\x9b\xc2\xa0"},
		{"\xff\xe2\x80", "\\xff\\xe2\\x80"},
		{"gpj.\xe2\x80\xaetxt", "gpj.\\xe2\\x80\\xaetxt"},		/* U+202E */
		{"\xe2\x81\xa6\xe2\x81\xa9", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9"}, /* U+2066, U+2069 */
		{"\xd8\x9c\xef\xbb\xbf\xe2\x80\x8e",
		 "\\xd8\\x9c\\xef\\xbb\\xbf\\xe2\\x80\\x8e"},		  /* U+061C, U+FEFF, U+200E */
		{"\xe2\x80\x8c\xe2\x80\x8d", "\xe2\x80\x8c\xe2\x80\x8d"}, /* joiners */
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(CASES); i++) {
		struct sn_buf b = SN_BUF(1000);

		assert_int_equal(sn_pretty_line(CASES[i].in, strlen(CASES[i].in), &b), 0);
		if (CASES[i].out == NULL)
			assert_int_equal(b.len, 0);
		else
			assert_string_equal(b.data, CASES[i].out);
		sn_buf_release(&b);
	}
}

static void json(void **state)
{
	static const char IN[] = "{\"a\xc2\x9b\":[\"\x7f\\\"\xe2\x80\xae\xc3\xa4\",{},12345678901234567890]}";
	static const char OUT[] = "{\n  \"a\\u009b\": [\n    \"\\u007f\\\"\\u202e\xc3\xa4\",\n    {},\n    "
				  "12345678901234567890\n  ]\n}\n";
	struct sn_buf b = SN_BUF(1000);

	(void)state;
	assert_int_equal(sn_pretty(IN, strlen(IN), &b), 0);
	assert_string_equal(b.data, OUT);
	sn_buf_release(&b);
}

static void hidden(void **state)
{
	unsigned c = 0;

	(void)state;
	assert_int_equal(sn_pretty_hidden("", 0, &c), 0);
	assert_int_equal(sn_pretty_hidden("a", 1, &c), 0);
	assert_int_equal(sn_pretty_hidden("\x1b", 1, &c), 0);
	assert_int_equal(sn_pretty_hidden("\xe2\x80\xae", 2, &c), 0);
	assert_int_equal(sn_pretty_hidden("\xf0\x9f\x98\x80", 4, &c), 0);
	assert_int_equal(sn_pretty_hidden("\x7f", 1, &c), 1);
	assert_int_equal(c, 0x7f);
	assert_int_equal(sn_pretty_hidden("\xc2\x80", 2, &c), 2);
	assert_int_equal(c, 0x80);
	assert_int_equal(sn_pretty_hidden("\xe2\x80\xae", 3, &c), 3);
	assert_int_equal(c, 0x202e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(json),
		cmocka_unit_test(hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
