#include "base/clock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char SHAPE[] = "0000-00-00T00:00:00.000000Z";

int64_t sn_clock_real_us(void)
{
	struct timespec ts;
	int64_t offset_s = 0;

#ifdef SN_TESTING
	const char *text = getenv("SKYNET_CLOCK_OFFSET_S");

	if (text != NULL)
		offset_s = strtoll(text, NULL, 10);
#endif
	(void)clock_gettime(CLOCK_REALTIME, &ts); /* cannot fail for this clock */
	return ((int64_t)ts.tv_sec + offset_s) * 1000000 + ts.tv_nsec / 1000;
}

int64_t sn_clock_mono_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Each workitem has several times written and read: by hand, since strftime and strptime cost more than the rest. */
static void put_number(char *at, unsigned value, unsigned digits)
{
	for (unsigned i = digits; i > 0; i--, value /= 10)
		at[i - 1] = (char)('0' + value % 10);
}

static int get_number(const char *at, unsigned digits)
{
	int value = 0;

	for (unsigned i = 0; i < digits; i++)
		value = value * 10 + (at[i] - '0');
	return value;
}

void sn_time_format(int64_t real_us, char ret_text[SN_TIME_TEXT_SIZE])
{
	unsigned us = (unsigned)((real_us % 1000000 + 1000000) % 1000000); /* of a time before 1970, too */
	time_t s = (time_t)((real_us - us) / 1000000);
	struct tm tm;

	(void)gmtime_r(&s, &tm); /* fails only past the year 2^31 */
	memcpy(ret_text, SHAPE, sizeof SHAPE);
	put_number(ret_text, (unsigned)tm.tm_year + 1900, 4);
	put_number(ret_text + 5, (unsigned)tm.tm_mon + 1, 2);
	put_number(ret_text + 8, (unsigned)tm.tm_mday, 2);
	put_number(ret_text + 11, (unsigned)tm.tm_hour, 2);
	put_number(ret_text + 14, (unsigned)tm.tm_min, 2);
	put_number(ret_text + 17, (unsigned)tm.tm_sec, 2);
	put_number(ret_text + 20, us, 6);
}

int sn_time_parse(const char *text, int64_t *ret_real_us)
{
	struct tm tm = {0};

	for (size_t i = 0; i < sizeof SHAPE; i++) {
		if (SHAPE[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != SHAPE[i])
			return -EINVAL;
	}
	tm.tm_year = get_number(text, 4) - 1900;
	tm.tm_mon = get_number(text + 5, 2) - 1;
	tm.tm_mday = get_number(text + 8, 2);
	tm.tm_hour = get_number(text + 11, 2);
	tm.tm_min = get_number(text + 14, 2);
	tm.tm_sec = get_number(text + 17, 2);
	if (tm.tm_mon < 0 || tm.tm_mon > 11 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
	    tm.tm_min > 59 || tm.tm_sec > 60)
		return -EINVAL;
	*ret_real_us = (int64_t)timegm(&tm) * 1000000 + get_number(text + 20, 6);
	return 0;
}
