#include "sys/fd.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

enum { HIGH = 64 };

int sn_fd_write_all(int fd, const void *buf, size_t len)
{
	const char *p = buf;

	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Reads on from a first chunk of `want` bytes; a short read ends a regular file. */
static int read_chunks(int fd, struct sn_buf *b, size_t want, bool regular)
{
	for (;;) {
		size_t room = b->max_bytes - b->len;
		size_t chunk = want < room ? want : room;
		char probe;
		char *at = chunk > 0 ? sn_buf_reserve(b, chunk) : &probe;
		ssize_t n = read(fd, at, chunk > 0 ? chunk : 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n > 0 && chunk == 0)
			return -E2BIG;
		if (n > 0)
			b->len += (size_t)n;
		if (b->data != NULL)
			b->data[b->len] = '\0';
		if (n == 0 || (regular && (size_t)n < chunk))
			return 0;
		want = 65536;
	}
}

int sn_fd_read_all(int fd, struct sn_buf *b)
{
	struct stat st = {0};

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		return sn_fd_read_sized(fd, b, (size_t)st.st_size);
	return read_chunks(fd, b, 4096, S_ISREG(st.st_mode));
}

int sn_fd_read_sized(int fd, struct sn_buf *b, size_t size)
{
	return read_chunks(fd, b, size + 1, true); /* one byte more, so that a single read sees the end */
}

int sn_fd_send(int sock, const char *text, size_t len, int passed_fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	memcpy(&iov.iov_base, &text, sizeof text); /* sendmsg does not write to it */
	if (passed_fd >= 0) {
		struct cmsghdr *c;

		msg.msg_control = &control;
		msg.msg_controllen = sizeof control;
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &passed_fd, sizeof passed_fd);
	}
	while (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

ssize_t sn_fd_recv(int sock, char *buf, size_t size, int *ret_fd, int flags)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = buf, .iov_len = size - 1};
	/* Room for one descriptor exactly: in the padding of CMSG_SPACE the kernel would install a second one. */
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = CMSG_LEN(sizeof(int))};
	SN_AUTOFD int fd = -1;
	struct cmsghdr *c;
	ssize_t n;

	do
		n = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | flags);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	if ((msg.msg_flags & MSG_TRUNC) != 0)
		return -EMSGSIZE;
	buf[n] = '\0';
	*ret_fd = sn_fd_steal(&fd);
	return n;
}

int sn_fd_dup_high(int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH);

	if (high < 0)
		high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return high < 0 ? -errno : high;
}

void sn_fd_move_high(int *fd)
{
	const int high = fcntl(*fd, F_DUPFD_CLOEXEC, HIGH);

	if (high < 0) /* limit_files = 64 */
		return;
	(void)close(*fd); /* the other one is kept */
	*fd = high;
}

int sn_fd_identify(int fd, struct sn_fd_id *ret)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*ret = (struct sn_fd_id){st.st_dev, st.st_ino};
	return 0;
}

bool sn_fd_is(int fd, const struct sn_fd_id *id)
{
	struct sn_fd_id now = {0};

	return fd >= 0 && sn_fd_identify(fd, &now) == 0 && now.dev == id->dev && now.ino == id->ino;
}
