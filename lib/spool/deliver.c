#include "spool/deliver.h"

#include <fcntl.h>

#include "base/fail.h"
#include "sys/dir.h"
#include "sys/fd.h"

/* deliver.1: a file that did not exist before. */
static int create_new(struct sn_spool *s, char name[SN_NAME_SIZE])
{
	for (;;) {
		int fd = openat(s->open, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
		int r;

		if (fd >= 0)
			return fd;
		if (errno != EEXIST)
			return -errno;
		r = sn_name_next_seq(name);
		if (r < 0)
			return r;
	}
}

int sn_deliver(struct sn_spool *s, char name[SN_NAME_SIZE], const void *body, size_t len)
{
	SN_AUTOFD int fd = -1;
	int r;

	if (!sn_name_valid(name))
		return -EINVAL;
	if ((r = SN_FAIL("deliver.1")) < 0)
		return r;
	fd = create_new(s, name);
	if (fd < 0)
		return fd;
	if ((r = SN_FAIL("deliver.2")) == 0)
		r = sn_fd_write_all(fd, body, len);
	if (r < 0)
		(void)unlinkat(s->open, name, 0); /* else the next start of the bridge finds it short */
	return r;
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
