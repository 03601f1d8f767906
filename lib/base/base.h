/* What every file of SkyNET includes first: attributes, automatic release, limits.
 * Functions return 0 or a count on success and -errno on failure, unless their header says otherwise. */
#ifndef SN_BASE_H
#define SN_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/banned.h"

#define SN_CHECK	__attribute__((warn_unused_result))
#define SN_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define SN_NORETURN	__attribute__((noreturn))
#define SN_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* `SN_AUTOFD int fd = -1;` is closed at the end of its scope. */
static inline void sn_autofd_close(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* read-only or already synced: nothing to learn here */
}
#define SN_AUTOFD __attribute__((cleanup(sn_autofd_close)))

/* Hands an SN_AUTOFD descriptor to the caller. */
static inline int sn_fd_steal(int *fd)
{
	int r = *fd;

	*fd = -1;
	return r;
}

/* Exit codes of daemons and commands (docs/HOME.md). */
enum sn_exit {
	SN_EXIT_OK = 0,
	SN_EXIT_FAILED = 1,
	SN_EXIT_NOT_RUNNING = 3,
	SN_EXIT_UNKNOWN = 4,
	SN_EXIT_USAGE = 64,
	SN_EXIT_BAD_ITEM = 65,
	SN_EXIT_UNAVAILABLE = 69,
	SN_EXIT_TRY_AGAIN = 75,
	SN_EXIT_PERMISSION = 77,
	SN_EXIT_CONFIG = 78,
	SN_EXIT_TEMPORARY = 111,
	SN_EXIT_TIMEOUT = 124,
};

#endif
