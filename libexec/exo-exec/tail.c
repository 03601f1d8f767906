#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/mem.h"
#include "program.h"
#include "svc/worker.h"
#include "sys/fd.h"

enum { TAILS_MAX = 64, TAIL_CHUNK = 4096 };

struct tail {
	int from[2], to;
};

static atomic_uint tails;

static void close_all(struct tail *t)
{
	for (int i = 0; i < 2; i++) {
		if (t->from[i] >= 0)
			(void)close(t->from[i]); /* a pipe */
	}
	if (t->to >= 0)
		(void)close(t->to); /* a pipe: exo sees its end now */
	free(t);
}

/* False at the end. */
static bool copy(struct tail *t, int from)
{
	char chunk[TAIL_CHUNK];
	ssize_t n = read(from, chunk, sizeof chunk);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	return n > 0 && sn_fd_write_all(t->to, chunk, (size_t)n) == 0;
}

static void *follow(void *arg)
{
	struct tail *t = arg;

	while (t->from[0] >= 0 || t->from[1] >= 0) {
		struct pollfd fds[] = {{.fd = t->from[0], .events = POLLIN},
				       {.fd = t->from[1], .events = POLLIN}};

		if (poll(fds, SN_COUNT(fds), -1) < 0)
			continue; /* EINTR */
		for (int i = 0; i < 2; i++) {
			if (fds[i].revents == 0 || copy(t, t->from[i]))
				continue;
			(void)close(t->from[i]); /* a pipe */
			t->from[i] = -1;
		}
	}
	close_all(t);
	(void)atomic_fetch_sub(&tails, 1);
	return NULL;
}

void tail_start(const struct sn_worker *w, int from[2])
{
	struct tail *t = sn_calloc(1, sizeof *t);

	memcpy(t->from, from, sizeof t->from);
	from[0] = from[1] = -1;
	t->to = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	if (atomic_fetch_add(&tails, 1) < TAILS_MAX && t->to >= 0 && sn_worker_thread(w, follow, t) == 0)
		return;
	(void)atomic_fetch_sub(&tails, 1);
	close_all(t); /* they find their output closed */
}
