#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

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

void sn_time_format(int64_t real_us, char ret_text[SN_TIME_TEXT_SIZE])
{
	int us = (int)((real_us % 1000000 + 1000000) % 1000000); /* of a time before 1970, too */
	time_t s = (time_t)((real_us - us) / 1000000);
	struct tm tm;
	size_t n;

	(void)gmtime_r(&s, &tm); /* fails only past the year 2^31 */
	n = strftime(ret_text, SN_TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(ret_text + n, SN_TIME_TEXT_SIZE - n, ".%06dZ", us);
}

int sn_time_parse(const char *text, int64_t *ret_real_us)
{
	static const char SHAPE[] = "0000-00-00T00:00:00.000000Z";
	struct tm tm = {0};
	const char *rest;
	char *end;
	long us;

	/* strptime alone takes blanks, signs and fewer digits. */
	for (size_t i = 0; i < sizeof SHAPE; i++) {
		if (SHAPE[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != SHAPE[i])
			return -EINVAL;
	}
	rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (rest == NULL || rest[0] != '.')
		return -EINVAL;
	us = strtol(rest + 1, &end, 10);
	if (strcmp(end, "Z") != 0)
		return -EINVAL;
	*ret_real_us = (int64_t)timegm(&tm) * 1000000 + us;
	return 0;
}
