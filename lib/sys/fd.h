/* Whole reads and writes, descriptors passed over sockets, and where descriptors are out of the way of other code. */
#ifndef SN_FD_H
#define SN_FD_H

#include "base/buf.h"

/* Writes all of buf, EINTR and short writes included. 0 or -errno. */
int sn_fd_write_all(int fd, const void *buf, size_t len) SN_CHECK;
/* Reads to the end of the file into b. 0, -E2BIG past b's ceiling, or -errno. */
int sn_fd_read_all(int fd, struct sn_buf *b) SN_CHECK;
/* The same for a regular file whose size is known: one read(2) as a rule. */
int sn_fd_read_sized(int fd, struct sn_buf *b, size_t size) SN_CHECK;
/* One packet, with `passed_fd` if that is >= 0. 0 or -errno (-EAGAIN on a full socket). Never raises SIGPIPE. */
int sn_fd_send(int sock, const char *text, size_t len, int passed_fd) SN_CHECK;
/* One packet, NUL-terminated in buf. Returns its length, 0 at the end, or -errno; *ret_fd is -1 or a received
 * descriptor (CLOEXEC, the caller's). A packet longer than size-1 is -EMSGSIZE. */
ssize_t sn_fd_recv(int sock, char *buf, size_t size, int *ret_fd, int flags) SN_CHECK;

/* Code that closes all it finds, as daemons do, stops at a number like 60 as a rule, and what it opens gets the lowest ones.
 * A duplicate above those, or, where RLIMIT_NOFILE leaves no such number, the lowest there is; -errno. CLOEXEC. */
int sn_fd_dup_high(int fd) SN_CHECK;
/* The same in the place of *fd, which stays what it is where there is no such number. */
void sn_fd_move_high(int *fd);

/* Which file it is: code that knows nothing of a descriptor may close it, and open others. */
struct sn_fd_id {
	dev_t dev;
	ino_t ino;
};
int sn_fd_identify(int fd, struct sn_fd_id *ret) SN_CHECK; /* 0 or -errno */
bool sn_fd_is(int fd, const struct sn_fd_id *id);

#endif
