#include "spool/result.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/fail.h"
#include "base/mem.h"
#include "sys/dir.h"
#include "sys/fd.h"

/* result.1: a file of our own; a leftover of an earlier attempt to write it goes. */
static int create(int dir, const char *leaf)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir, leaf, flags, 0644);
	struct stat st;

	if (fd < 0 && errno == EEXIST) {
		if (unlinkat(dir, leaf, 0) < 0)
			return -errno;
		fd = openat(dir, leaf, flags, 0644);
	}
	if (fd < 0)
		return -errno;
	/* User code may have set a umask with which the bridge could not read it. Ours: cannot fail. Asking is
	 * cheaper than setting what is already so. */
	if (fstat(fd, &st) == 0 && (st.st_mode & 0777) != 0644)
		(void)fchmod(fd, 0644);
	return fd;
}

/* A file that the bridge has read and copied, under its new name, with its old bytes. -ENOENT: none. */
static int take_spare(struct sn_spool *s, const char *leaf)
{
	char spare[SN_SPARE_SIZE];
	int fd;

	if (s->spare_rest > 0) { /* there are none where results are moved to done/: do not look each time */
		s->spare_rest--;
		return -ENOENT;
	}
	for (int i = 0; i < SN_SPARE_TRIES; i++) {
		sn_spare_next(s, spare);
		if (renameat(s->tmp, spare, s->tmp, leaf) < 0)
			continue;
		fd = openat(s->tmp, leaf, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	s->spare_rest = SN_SPARES / 4;
	return -ENOENT;
}

/* What a spare held beyond the new text goes. Not by O_TRUNC before: what was emptied ext4 writes to the disk at once when it
 * is closed. */
static int cut(int fd, size_t size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return (size_t)st.st_size > size && ftruncate(fd, (off_t)size) < 0 ? -errno : 0;
}

static int write_both(int fd, const struct sn_buf *head, const void *body, size_t len)
{
	struct iovec iov[2] = {{.iov_base = head->data, .iov_len = head->len}, {.iov_len = len}};
	ssize_t n;

	memcpy(&iov[1].iov_base, &body, sizeof body); /* writev does not write to it */
	n = writev(fd, iov, 2);
	if (n < 0)
		return -errno;
	if ((size_t)n == head->len + len)
		return 0;
	if ((size_t)n < head->len) {
		int r = sn_fd_write_all(fd, head->data + n, head->len - (size_t)n);

		return r < 0 ? r : sn_fd_write_all(fd, body, len);
	}
	return sn_fd_write_all(fd, (const char *)body + ((size_t)n - head->len),
			       len - ((size_t)n - head->len));
}

/* NAME of NAME,aN and NAME,aN.mNNNN. After a power cut a spare may have its old bytes under its new name: whole, and with a
 * digest that is right. The header tells. */
static void say_whose(struct sn_result *res, const char *leaf)
{
	const size_t len = strcspn(leaf, ",");

	res->name[0] = '\0';
	if (len < sizeof res->name)
		sn_copy_text(res->name, len + 1, leaf);
	if (!sn_name_valid(res->name))
		res->name[0] = '\0';
}

int sn_result_write(struct sn_spool *s, const char *leaf, const struct sn_result *res, const void *body,
		    size_t len, bool sync)
{
	struct sn_buf head = SN_BUF(SN_RESULT_HEADER_MAX);
	struct sn_result whole = *res;
	SN_AUTOFD int fd = -1;
	bool spare;
	int r = sn_leaf_valid(leaf) ? SN_FAIL("result.1") : -EINVAL;

	whole.length = len;
	say_whose(&whole, leaf);
	if (r == 0)
		r = sn_result_format(&whole, &head);
	if (r < 0)
		goto out;
	fd = take_spare(s, leaf);
	spare = fd >= 0;
	if (!spare)
		fd = create(s->tmp, leaf);
	if (fd < 0) {
		r = fd;
		goto out;
	}
	if ((r = SN_FAIL("result.2")) == 0)
		r = write_both(fd, &head, body, len);
	if (r == 0 && spare)
		r = cut(fd, head.len + len);
	if (r == 0 && sync && fdatasync(fd) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(s->tmp, leaf, 0); /* exo empties tmp/ at its start otherwise */
out:
	sn_buf_release(&head);
	return r;
}
