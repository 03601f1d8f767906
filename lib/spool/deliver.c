#include "spool/deliver.h"

#include <fcntl.h>
#include <sys/file.h>

#include "base/fail.h"
#include "sys/dir.h"
#include "sys/fd.h"
#include "sys/lock.h"

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

int sn_deliver_beside(struct sn_spool *s, char name[SN_NAME_SIZE], const void *body, size_t len)
{
	for (;;) {
		SN_AUTOFD int fd = create_new(s, name);
		/* Not to be had: somebody keeps it locked, who may only read there. */
		const bool locked = fd >= 0 && sn_lock_now(fd) == 0;
		int r = fd < 0 ? fd : fill(s, name, fd, body, len);

		/* Else it was taken away, empty, before it was locked. */
		const bool there = faccessat(s->open, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;

		if (locked) /* exo hears of the close: it is free by then */
			(void)flock(fd, LOCK_UN);
		if (r < 0 || !locked || there)
			return r;
	}
}

int sn_deliver_again(const struct sn_spool *s, const char *name)
{
	char leaf[SN_ATTEMPT_SIZE];
	int r = SN_FAIL("deliver.3");

	sn_mark_format(name, SN_MARK_AGAIN, leaf);
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
