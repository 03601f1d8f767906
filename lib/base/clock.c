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

/* Date and time of day, UTC. libc's gmtime_r and timegm look for a time zone, under a lock, each time; every workitem has
 * half a dozen times made or read. */
struct civil {
	int year, month, day; /* month and day from 1 */
	int hour, minute, second, us;
};

/* Days are counted in years that begin in March, so that the leap day is the last of its year, and in eras of 400 such
 * years, which are all alike. Day 0 of the count is 1 March 0000, 719468 days before 1970. */
enum { ERA_DAYS = 146097, EPOCH_DAY = 719468, DAY_S = 86400 };

/* A day or a second too many (31 April, second 60) goes on into the next month, or minute. */
static int64_t civil_to_us(const struct civil *c)
{
	const int64_t year = (int64_t)c->year - (c->month <= 2);
	const int64_t era = (year >= 0 ? year : year - 399) / 400;
	const int64_t of_era = year - era * 400;
	const int64_t of_year = (153 * ((int64_t)c->month + (c->month > 2 ? -3 : 9)) + 2) / 5 + c->day - 1;
	const int64_t days = era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAY;

	return (days * DAY_S + (int64_t)c->hour * 3600 + (int64_t)c->minute * 60 + c->second) * 1000000 +
	       c->us;
}

static void civil_from_us(int64_t real_us, struct civil *ret)
{
	const int us = (int)((real_us % 1000000 + 1000000) % 1000000); /* of a time before 1970, too */
	const int64_t s = (real_us - us) / 1000000;
	const int second = (int)((s % DAY_S + DAY_S) % DAY_S);
	const int64_t day = (s - second) / DAY_S + EPOCH_DAY;
	const int64_t era = (day >= 0 ? day : day - (ERA_DAYS - 1)) / ERA_DAYS;
	const int64_t of_era = day - era * ERA_DAYS;
	const int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / (ERA_DAYS - 1)) / 365;
	const int64_t of_year = of_era - (365 * years + years / 4 - years / 100);
	const int64_t month = (5 * of_year + 2) / 153; /* from March */

	*ret = (struct civil){
		.year = (int)(era * 400 + years + (month >= 10)),
		.month = (int)(month < 10 ? month + 3 : month - 9),
		.day = (int)(of_year - (153 * month + 2) / 5 + 1),
		.hour = second / 3600,
		.minute = second / 60 % 60,
		.second = second % 60,
		.us = us,
	};
}

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
	struct civil c;

	civil_from_us(real_us, &c);
	memcpy(ret_text, SHAPE, sizeof SHAPE);
	put_number(ret_text, (unsigned)c.year, 4);
	put_number(ret_text + 5, (unsigned)c.month, 2);
	put_number(ret_text + 8, (unsigned)c.day, 2);
	put_number(ret_text + 11, (unsigned)c.hour, 2);
	put_number(ret_text + 14, (unsigned)c.minute, 2);
	put_number(ret_text + 17, (unsigned)c.second, 2);
	put_number(ret_text + 20, (unsigned)c.us, 6);
}

int sn_time_parse(const char *text, int64_t *ret_real_us)
{
	struct civil c;

	for (size_t i = 0; i < sizeof SHAPE; i++) {
		if (SHAPE[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != SHAPE[i])
			return -EINVAL;
	}
	c = (struct civil){
		.year = get_number(text, 4),
		.month = get_number(text + 5, 2),
		.day = get_number(text + 8, 2),
		.hour = get_number(text + 11, 2),
		.minute = get_number(text + 14, 2),
		.second = get_number(text + 17, 2),
		.us = get_number(text + 20, 6),
	};
	if (c.month < 1 || c.month > 12 || c.day < 1 || c.day > 31 || c.hour > 23 || c.minute > 59 ||
	    c.second > 60)
		return -EINVAL;
	*ret_real_us = civil_to_us(&c);
	return 0;
}
