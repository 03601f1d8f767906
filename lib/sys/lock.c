#include "sys/lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include "sys/dir.h"

enum { PROBE_TRIES = 5, PROBE_PAUSE_US = 2000 };

int sn_lock_take(int dirfd, const char *leaf, bool wait)
{
	SN_AUTOFD int fd = -1;

	if (!sn_leaf_valid(leaf))
		return -EINVAL;
	fd = openat(dirfd, leaf, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	for (unsigned tries = 0; flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) < 0; tries++) {
		/* sn_lock_held() of somebody else has the lock for microseconds. */
		if (errno == EWOULDBLOCK && tries < PROBE_TRIES)
			(void)usleep(PROBE_PAUSE_US); /* cut short: one more try */
		else if (errno != EINTR)
			return -errno;
	}
	return sn_fd_steal(&fd);
}

int sn_lock_held(int dirfd, const char *leaf)
{
	SN_AUTOFD int fd = -1;

	if (!sn_leaf_valid(leaf))
		return -EINVAL;
	fd = openat(dirfd, leaf, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? 1 : -errno;
}
