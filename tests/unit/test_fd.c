#include "test.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "sys/dir.h"
#include "sys/fd.h"

static int pair(void **state)
{
	int *fds = calloc(2, sizeof *fds);

	*state = fds;
	return fds == NULL ? -1 : socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds);
}

static int unpair(void **state)
{
	int *fds = *state;

	(void)close(fds[0]);
	(void)close(fds[1]);
	free(fds);
	return 0;
}

static int open_fds(void)
{
	SN_AUTOFD int fd = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return sn_dir_count(fd);
}

static void packets(void **state)
{
	int *s = *state;
	char buf[16];
	int fd = 77;

	assert_int_equal(sn_fd_send(s[0], "hello", 5, -1), 0);
	assert_int_equal(sn_fd_send(s[0], "123456789012345", 15, -1), 0);
	assert_int_equal(sn_fd_recv(s[1], buf, sizeof buf, &fd, 0), 5);
	assert_string_equal(buf, "hello");
	assert_int_equal(fd, -1);
	assert_int_equal(sn_fd_recv(s[1], buf, sizeof buf, &fd, 0), 15);
	assert_int_equal(sn_fd_recv(s[1], buf, sizeof buf, &fd, MSG_DONTWAIT), -EAGAIN);
	assert_int_equal(shutdown(s[0], SHUT_WR), 0);
	assert_int_equal(sn_fd_recv(s[1], buf, sizeof buf, &fd, 0), 0);
}

static void passed_descriptor(void **state)
{
	int *s = *state, before, fd = -1;
	char buf[16], byte;
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	before = open_fds();
	assert_int_equal(sn_fd_send(s[0], "w", 1, p[1]), 0);
	assert_int_equal(sn_fd_recv(s[1], buf, sizeof buf, &fd, 0), 1);
	assert_true(fd >= 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(p[0], &byte, 1), 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(open_fds(), before);
	assert_int_equal(close(p[0]), 0);
	assert_int_equal(close(p[1]), 0);
}

/* A worker may send more than was agreed: nothing may pile up in exo. */
static void send_two(int sock, int fd)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	int both[2] = {fd, fd};
	char text[] = "two";
	struct iovec iov = {.iov_base = text, .iov_len = 3};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof both);
	memcpy(CMSG_DATA(c), both, sizeof both);
	assert_int_equal(sendmsg(sock, &msg, 0), 3);
}

static void no_descriptor_leaks(void **state)
{
	int *s = *state, before = open_fds(), fd = -1;
	char buf[16];

	send_two(s[0], 0);
	assert_int_equal(sn_fd_recv(s[1], buf, sizeof buf, &fd, 0), 3);
	if (fd >= 0)
		assert_int_equal(close(fd), 0);
	assert_int_equal(open_fds(), before);
	fd = 77;
	assert_int_equal(sn_fd_send(s[0], "far too long for the buffer", 27, 0), 0);
	assert_int_equal(sn_fd_recv(s[1], buf, sizeof buf, &fd, 0), -EMSGSIZE);
	assert_int_equal(fd, 77);
	assert_int_equal(open_fds(), before);
}

static void no_sigpipe(void **state)
{
	int *s = *state;

	assert_int_equal(close(s[1]), 0);
	s[1] = -1;
	assert_int_equal(sn_fd_send(s[0], "x", 1, -1), -EPIPE);
}

static void full_socket(void **state)
{
	int *s = *state, r = 0;

	assert_int_equal(fcntl(s[0], F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 100000 && r == 0; i++)
		r = sn_fd_send(s[0], "xxxxxxxxxxxxxxxx", 16, -1);
	assert_int_equal(r, -EAGAIN);
}

/* Through a pipe: short writes, several reads. */
static void write_and_read_all(void **state)
{
	enum { SIZE = 1000003 };
	char *data = malloc(SIZE);
	struct sn_buf b = SN_BUF(SIZE), small = SN_BUF(SIZE - 1);
	int p[2], status;
	pid_t pid;

	(void)state;
	assert_non_null(data);
	for (int i = 0; i < SIZE; i++)
		data[i] = (char)(i * 7);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(pipe(p), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			(void)close(p[0]);
			(void)signal(SIGPIPE, SIG_IGN);
			_exit(sn_fd_write_all(p[1], data, SIZE) == 0 ? 0 : 1);
		}
		assert_int_equal(close(p[1]), 0);
		assert_int_equal(sn_fd_read_all(p[0], round == 0 ? &b : &small), round == 0 ? 0 : -E2BIG);
		assert_int_equal(close(p[0]), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
	}
	assert_int_equal(b.len, SIZE);
	assert_memory_equal(b.data, data, SIZE);
	sn_buf_release(&b);
	sn_buf_release(&small);
	free(data);
}

static void errors(void **state)
{
	struct sn_buf b = SN_BUF(100);
	SN_AUTOFD int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(sn_fd_write_all(full, "x", 1), -ENOSPC);
	assert_int_equal(sn_fd_write_all(-1, "x", 1), -EBADF);
	assert_int_equal(sn_fd_write_all(-1, "", 0), 0);
	assert_int_equal(sn_fd_read_all(-1, &b), -EBADF);
	sn_buf_release(&b);
}

#define WITH_PAIR(f) cmocka_unit_test_setup_teardown(f, pair, unpair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PAIR(packets),	  WITH_PAIR(passed_descriptor), WITH_PAIR(no_descriptor_leaks),
		WITH_PAIR(no_sigpipe),	  WITH_PAIR(full_socket),	cmocka_unit_test(write_and_read_all),
		cmocka_unit_test(errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
