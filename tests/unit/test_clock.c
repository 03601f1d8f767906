#include "test.h"

#include <time.h>

#include "base/clock.h"

static void round_trip(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} CASES[] = {
		{0, "1970-01-01T00:00:00.000000Z"},
		{1795344883865116, "2026-11-22T10:54:43.865116Z"},
		{951782400000001, "2000-02-29T00:00:00.000001Z"},
		{-1, "1969-12-31T23:59:59.999999Z"},
		{-1500000, "1969-12-31T23:59:58.500000Z"},
		{253402300799999999, "9999-12-31T23:59:59.999999Z"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(CASES); i++) {
		char text[SN_TIME_TEXT_SIZE];
		int64_t us = 42;

		sn_time_format(CASES[i].us, text);
		assert_string_equal(text, CASES[i].text);
		assert_int_equal(sn_time_parse(text, &us), 0);
		assert_int_equal(us, CASES[i].us);
	}
}

/* Days, leap days, hours: as libc counts them, from the year 0 to 9999, and days that a month does not have. */
static void as_libc(void **state)
{
	static const char *const ODD[] = {"2026-02-31T00:00:60.000000Z", "1900-02-29T23:59:60.000000Z",
					  "0000-01-01T00:00:00.000000Z", "2000-04-31T12:00:00.000000Z"};

	(void)state;
	for (int64_t s = -62167219200; s < 253402300800; s += 40009 * 7) {
		char text[SN_TIME_TEXT_SIZE], want[64];
		time_t t = (time_t)s;
		int64_t us = 0;
		struct tm tm;

		assert_non_null(gmtime_r(&t, &tm));
		(void)snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02d.000000Z", tm.tm_year + 1900,
			       tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
		sn_time_format(s * 1000000, text);
		assert_string_equal(text, want);
		assert_int_equal(sn_time_parse(text, &us), 0);
		assert_int_equal(us, s * 1000000);
	}
	for (size_t i = 0; i < SN_COUNT(ODD); i++) {
		struct tm tm = {0};
		int64_t us = 0;

		assert_non_null(strptime(ODD[i], "%Y-%m-%dT%H:%M:%S", &tm));
		assert_int_equal(sn_time_parse(ODD[i], &us), 0);
		assert_int_equal(us, (int64_t)timegm(&tm) * 1000000);
	}
}

static void malformed(void **state)
{
	static const char *const CASES[] = {
		"",
		"2026-11-22T10:54:43Z",
		"2026-11-22T10:54:43.865116",
		"2026-11-22T10:54:43.865116Zx",
		"2026-11-22T10:54:43.86511Z",
		"2026-11-22T10:54:43.8651160Z",
		"2026-11-22T10:54:43.-65116Z",
		"2026-11-22 10:54:43.865116Z",
		"2026-13-22T10:54:43.865116Z",
		"2026-11-22T25:54:43.865116Z",
		" 2026-11-22T10:54:43.865116Z",
		"2026-1-22T10:54:43.865116Z",
		"2026- 1-22T10:54:43.865116Z",
		"+026-11-22T10:54:43.865116Z",
		"99999-11-22T10:54:43.865116Z",
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(CASES); i++) {
		int64_t us = 42;

		if (sn_time_parse(CASES[i], &us) != -EINVAL)
			fail_msg("accepted: %s", CASES[i]);
		assert_int_equal(us, 42);
	}
}

static void clocks_run(void **state)
{
	int64_t real = sn_clock_real_us(), mono = sn_clock_mono_ns();

	(void)state;
	assert_true(real > 1700000000000000);
	assert_true(sn_clock_mono_ns() >= mono);
	assert_int_equal(setenv("SKYNET_CLOCK_OFFSET_S", "-3600", 1), 0);
	assert_true(sn_clock_real_us() < real - 3590000000);
	assert_int_equal(unsetenv("SKYNET_CLOCK_OFFSET_S"), 0);
	assert_true(sn_clock_real_us() >= real);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(as_libc),
		cmocka_unit_test(malformed),
		cmocka_unit_test(clocks_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
