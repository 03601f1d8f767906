#include "sys/lock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "sys/dir.h"

enum { PROBE_TRIES = 1000, PROBE_PAUSE_US = 100 };

/* What has it for microseconds is sn_lock_held() of somebody else, which a shared lock tells from an owner. */
int sn_lock_now(int fd)
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

/* Who may open the file may lock it: nobody else gets that far, also where an earlier version made it. */
static int keep_private(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != geteuid() || (st.st_mode & S_IRWXO) == 0)
		return 0;
	return fchmod(fd, st.st_mode & (S_IRWXU | S_IRWXG)) < 0 ? -errno : 0;
}

int sn_lock_take(int dirfd, const char *leaf, bool wait)
{
	SN_AUTOFD int fd = -1;
	int r = 0;

	if (!sn_leaf_valid(leaf))
		return -EINVAL;
	fd = openat(dirfd, leaf, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = keep_private(fd);
	if (r < 0)
		return r;
	if (!wait)
		r = sn_lock_now(fd);
	while (wait && flock(fd, LOCK_EX) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return r < 0 ? r : sn_fd_steal(&fd);
}

/* What the kernel tells everybody of a lock: for those who may not open the file. */
static int held_by_proc(int dirfd, const char *leaf)
{
	unsigned major, minor;
	uint64_t inode;
	char line[256];
	struct stat st;
	FILE *f = NULL;
	int r = 0;

	if (fstatat(dirfd, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	f = fopen("/proc/locks", "re");
	if (f == NULL)
		return -errno;
	while (r == 0 && fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "%*u: FLOCK %*s WRITE %*d %x:%x:%" SCNu64, &major, &minor, &inode) == 3)
			r = inode == st.st_ino && makedev(major, minor) == st.st_dev;
	}
	(void)fclose(f); /* read only */
	return r;
}

int sn_lock_held(int dirfd, const char *leaf)
{
	SN_AUTOFD int fd = -1;

	if (!sn_leaf_valid(leaf))
		return -EINVAL;
	fd = openat(dirfd, leaf,
		    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); /* never waits for a pipe's writer */
	if (fd < 0 && errno == EACCES)
		return held_by_proc(dirfd, leaf);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? 1 : -errno;
}
