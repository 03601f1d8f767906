/* The limits that the run script sets with chpst are meant for the participant's code. exo passes them on to its
 * workers and frees itself of them as far as it may: it holds descriptors for all workers, and lives for long. */
#include <sys/resource.h>

#include "exo.h"

static const int LIMITS[] = {RLIMIT_DATA, RLIMIT_NOFILE, RLIMIT_CPU};

_Static_assert(SN_COUNT(LIMITS) == EXO_LIMITS, "one place for each");

void limits_lift(struct exo *x)
{
	for (size_t i = 0; i < SN_COUNT(LIMITS); i++) {
		struct rlimit own;

		if (getrlimit((__rlimit_resource_t)LIMITS[i], &x->limits[i]) < 0)
			continue; /* not on this kernel: nothing to restore either, as setrlimit will say */
		own = x->limits[i];
		own.rlim_cur = own.rlim_max;
		(void)setrlimit((__rlimit_resource_t)LIMITS[i],
				&own); /* up to the hard limit: always allowed */
	}
}

void limits_restore(const struct exo *x)
{
	for (size_t i = 0; i < SN_COUNT(LIMITS); i++) {
		if (x->limits[i].rlim_max != 0)
			(void)setrlimit((__rlimit_resource_t)LIMITS[i],
					&x->limits[i]); /* downwards: allowed */
	}
}
