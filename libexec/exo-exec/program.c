#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include "sys/fd.h"

int program_init(struct program *p)
{
	sigset_t set;

	*p = (struct program){.pid = -1, .out = -1, .err = -1};
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	p->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return p->signals < 0 ? -errno : 0;
}

/* In the child. All descriptors from 3 on are CLOEXEC. */
static SN_NORETURN void become(const char *path, const int fds[3], int why, pid_t parent)
{
	char *const argv[] = {(char *)(uintptr_t)path, NULL}; /* execv does not write to it */
	sigset_t none;
	int err;

	/* The same group as ours: what ends that, ends this. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(SN_EXIT_TEMPORARY);
	for (int i = 0; i < 3; i++) {
		if (dup2(fds[i], i) < 0)
			goto out;
	}
	(void)signal(SIGPIPE, SIG_DFL);
	(void)signal(SIGXFSZ, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execv(path, argv);
out:
	err = errno;
	(void)!write(why, &err, sizeof err); /* our end closed without a word says the same */
	_exit(SN_EXIT_TEMPORARY);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd); /* pipes */
	*fd = -1;
}

/* 0, or what execv said. */
static int await_exec(int fd)
{
	int err = 0;
	ssize_t n;

	do
		n = read(fd, &err, sizeof err);
	while (n < 0 && errno == EINTR);
	return n == 0 ? 0 : -(n == (ssize_t)sizeof err && err > 0 ? err : EIO);
}

/* pipes: output, errors, exec's answer. */
static int start(struct program *p, const char *path, int workitem, int pipes[3][2])
{
	const int fds[3] = {workitem, pipes[0][1], pipes[1][1]};
	const pid_t parent = getpid();
	int r;

	p->pid = fork();
	if (p->pid < 0)
		return -errno;
	if (p->pid == 0)
		become(path, fds, pipes[2][1], parent);
	close_fd(&pipes[2][1]);
	r = await_exec(pipes[2][0]);
	if (r < 0)
		(void)waitpid(p->pid, NULL, 0); /* it is there */
	return r;
}

int program_start(struct program *p, const char *path, int workitem)
{
	int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}}, r = 0;

	sn_buf_reset(&p->reply);
	p->flooded = false;
	p->last_len = 0;
	for (int i = 0; i < 3 && r == 0; i++)
		r = pipe2(pipes[i], O_CLOEXEC) < 0 ? -errno : 0;
	for (int i = 0; i < 2 && r == 0; i++) /* of our ends; the program's own are as usual */
		r = fcntl(pipes[i][0], F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	if (r == 0)
		r = start(p, path, workitem, pipes);
	if (r == 0) {
		p->out = sn_fd_steal(&pipes[0][0]);
		p->err = sn_fd_steal(&pipes[1][0]);
	}
	for (int i = 0; i < 3; i++) {
		close_fd(&pipes[i][0]);
		close_fd(&pipes[i][1]);
	}
	return r;
}

/* Standard error goes to the log; its end is kept. */
static void on_error_text(struct program *p, const char *text, size_t len)
{
	size_t keep;

	(void)!sn_fd_write_all(STDERR_FILENO, text, len); /* exo is gone, then: so are we soon */
	if (len >= LAST_BYTES) {
		text += len - LAST_BYTES;
		len = LAST_BYTES;
	}
	keep = p->last_len < LAST_BYTES - len ? p->last_len : LAST_BYTES - len;
	memmove(p->last, p->last + (p->last_len - keep), keep);
	memcpy(p->last + keep, text, len);
	p->last_len = keep + len;
}

/* Too much of a reply: it will find the pipe closed. */
static void on_reply_text(struct program *p, const char *text, size_t len)
{
	if (sn_buf_add(&p->reply, text, len) == 0)
		return;
	p->flooded = true;
	close_fd(&p->out);
}

/* Reads at most `most` bytes of what is there now. */
static void take(struct program *p, int *fd, size_t most)
{
	ssize_t n;

	while (*fd >= 0 && most > 0) {
		n = read(*fd, p->chunk, most < sizeof p->chunk ? most : sizeof p->chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			close_fd(fd);
			return;
		}
		most -= (size_t)n;
		if (fd == &p->err)
			on_error_text(p, p->chunk, (size_t)n);
		else
			on_reply_text(p, p->chunk, (size_t)n);
	}
}

static bool has_ended(struct program *p)
{
	struct signalfd_siginfo ignored;
	siginfo_t si = {0};

	while (read(p->signals, &ignored, sizeof ignored) > 0)
		; /* orphans that we are given end, too */
	if (waitid(P_PID, (id_t)p->pid, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
		return false;
	p->code = si.si_code;
	p->status = si.si_status;
	return true;
}

/* What it wrote before its end is in the pipe now; what its children write to it from now on is no reply. */
static void drain(struct program *p, int *fd)
{
	struct pollfd look = {.fd = *fd, .events = POLLIN};
	int there = 0;

	if (*fd >= 0 && ioctl(*fd, FIONREAD, &there) == 0 && there > 0)
		take(p, fd, (size_t)there);
	if (*fd >= 0 && poll(&look, 1, 0) == 1 && (look.revents & (POLLHUP | POLLIN)) == POLLHUP)
		close_fd(fd); /* nobody has it, and nothing is left in it */
}

void program_follow(struct program *p)
{
	for (;;) {
		struct pollfd fds[] = {{.fd = p->signals, .events = POLLIN},
				       {.fd = p->out, .events = POLLIN},
				       {.fd = p->err, .events = POLLIN}};

		if (poll(fds, SN_COUNT(fds), -1) < 0)
			continue; /* EINTR */
		if (fds[0].revents != 0 && has_ended(p))
			break;
		if (fds[1].revents != 0)
			take(p, &p->out, CHUNK_BYTES);
		if (fds[2].revents != 0)
			take(p, &p->err, CHUNK_BYTES);
	}
	drain(p, &p->out);
	drain(p, &p->err);
	p->pid = -1;
}

void program_reap_orphans(void)
{
	siginfo_t si = {0};

	while (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | __WALL) == 0 && si.si_pid != 0)
		si.si_pid = 0;
}
