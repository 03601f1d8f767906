/* The two clocks. SKYNET_CLOCK_OFFSET_S (test builds only) moves the real one. */
#ifndef SN_CLOCK_H
#define SN_CLOCK_H

#include "base/base.h"

enum { SN_TIME_TEXT_SIZE = 32 };

int64_t sn_clock_real_us(void); /* since 1970, UTC */
int64_t sn_clock_mono_ns(void);
/* "2026-11-22T10:54:43.865116Z" */
void sn_time_format(int64_t real_us, char ret_text[SN_TIME_TEXT_SIZE]);
/* The reverse. 0 or -EINVAL. */
int sn_time_parse(const char *text, int64_t *ret_real_us) SN_CHECK;

#endif
