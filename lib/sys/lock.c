#include "sys/lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include "sys/dir.h"

enum { PROBE_TRIES = 1000, PROBE_PAUSE_US = 100 };

/* Takes it now. What has it for microseconds is sn_lock_held() of somebody else, which a shared lock tells from an
 * owner. */
static int take_now(int fd)
{
	for (unsigned tries = 0; tries < PROBE_TRIES; tries++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno == EWOULDBLOCK && flock(fd, LOCK_SH | LOCK_NB) < 0)
			return -errno;
		(void)flock(fd, LOCK_UN);     /* cannot fail */
		(void)usleep(PROBE_PAUSE_US); /* cut short: one more try */
	}
	return -EWOULDBLOCK;
}

int sn_lock_take(int dirfd, const char *leaf, bool wait)
{
	SN_AUTOFD int fd = -1;
	int r = 0;

	if (!sn_leaf_valid(leaf))
		return -EINVAL;
	fd = openat(dirfd, leaf, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (!wait)
		r = take_now(fd);
	while (wait && flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return r < 0 ? r : sn_fd_steal(&fd);
}

int sn_lock_held(int dirfd, const char *leaf)
{
	SN_AUTOFD int fd = -1;

	if (!sn_leaf_valid(leaf))
		return -EINVAL;
	fd = openat(dirfd, leaf,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); /* never waits for a pipe's writer */
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? 1 : -errno;
}
