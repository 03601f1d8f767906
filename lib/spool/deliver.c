#include "spool/deliver.h"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "base/fail.h"
#include "sys/dir.h"
#include "sys/fd.h"

enum { MOMENT_NS = 1000000, MOMENTS = 20 };

/* deliver.1: a file that did not exist before. */
static int create_new(struct sn_spool *s, char name[SN_NAME_SIZE])
{
	int r = sn_name_valid(name) ? SN_FAIL("deliver.1") : -EINVAL;

	while (r == 0) {
		int fd = openat(s->open, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			return -errno;
		r = sn_name_next_seq(name);
	}
	return r;
}

/* deliver.2 */
static int fill(const struct sn_spool *s, const char *name, int fd, const void *body, size_t len)
{
	int r = SN_FAIL("deliver.2");

	if (r == 0)
		r = sn_fd_write_all(fd, body, len);
	if (r < 0)
		(void)unlinkat(s->open, name, 0); /* else the next start of the bridge finds it short */
	return r;
}

int sn_deliver(struct sn_spool *s, char name[SN_NAME_SIZE], const void *body, size_t len)
{
	SN_AUTOFD int fd = create_new(s, name);

	return fd < 0 ? fd : fill(s, name, fd, body, len);
}

/* False: somebody keeps it locked, who may only read there. */
static bool lock(int fd)
{
	static const struct timespec MOMENT = {.tv_nsec = MOMENT_NS};

	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno != EWOULDBLOCK || i == MOMENTS)
			return false;
		(void)nanosleep(&MOMENT, NULL); /* cut short: no harm */
	}
	return true;
}

int sn_deliver_beside(struct sn_spool *s, char name[SN_NAME_SIZE], const void *body, size_t len)
{
	for (;;) {
		SN_AUTOFD int fd = create_new(s, name);
		const bool locked = fd >= 0 && lock(fd);
		int r = fd < 0 ? fd : fill(s, name, fd, body, len);

		/* Else it was taken away, empty, before it was locked. */
		if (r < 0 || !locked || faccessat(s->open, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return r;
	}
}

int sn_deliver_again(const struct sn_spool *s, const char *name)
{
	char leaf[SN_NAME_SIZE + 8];
	int r = SN_FAIL("deliver.3");

	(void)snprintf(leaf, sizeof leaf, "%s.again", name); /* fits */
	if (r == 0)
		r = sn_dir_create(s->open, leaf, "", 0);
	return r == 0 || r == -EEXIST ? sn_dir_unlink(s->open, leaf) : r;
}

int sn_deliver_aside(int bucket_fd, const char *name, const char *suffix, const void *body, size_t len)
{
	char leaf[SN_NAME_SIZE + 16];
	int n;

	if (!sn_name_valid(name))
		return -EINVAL;
	n = snprintf(leaf, sizeof leaf, "%s%s", name, suffix);
	if (n < 0 || (size_t)n >= sizeof leaf)
		return -ENAMETOOLONG;
	return sn_dir_create(bucket_fd, leaf, body, len);
}
