/* Processes that a worker left behind. exo is a subreaper, so they become its children; SKYNET_WORKER in their
 * environment says whose they were. Killing one may hand us its children in turn: looked at again until none is left. */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "exo.h"
#include "sys/dir.h"
#include "sys/fd.h"

enum { ROUNDS_MAX = 20, ENVIRON_MAX = 1 << 20 };
static const double ROUND_S = 0.05;

struct hunt {
	const struct exo *x;
	int proc;
	bool all; /* also those of living workers, and unmarked ones */
	unsigned found;
};

static int read_proc(const struct hunt *h, const char *pid, const char *leaf, struct sn_buf *ret)
{
	char path[64];
	SN_AUTOFD int fd = -1;

	(void)snprintf(path, sizeof path, "%.20s/%s", pid, leaf); /* fits */
	fd = openat(h->proc, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : sn_fd_read_all(fd, ret);
}

static bool our_child(const struct hunt *h, const char *pid)
{
	struct sn_buf text = SN_BUF(4096);
	const char *p;
	char state = 'Z';
	int parent = 0;
	bool ours = read_proc(h, pid, "stat", &text) == 0 && text.data != NULL &&
		    (p = strrchr(text.data, ')')) != NULL && sscanf(p, ") %c %d", &state, &parent) == 2 &&
		    parent == (int)getpid() && state != 'Z';

	sn_buf_release(&text);
	return ours;
}

static bool worker_lives(const struct exo *x, const char *id)
{
	for (unsigned i = 0; i < x->worker_count; i++) {
		if (x->workers[i]->pid > 0 && strcmp(x->workers[i]->id, id) == 0)
			return true;
	}
	return x->reload.trial != NULL && strcmp(x->reload.trial->id, id) == 0;
}

static bool is_worker(const struct exo *x, pid_t pid)
{
	for (unsigned i = 0; i < x->worker_count; i++) {
		if (x->workers[i]->pid == pid)
			return true;
	}
	return x->reload.trial != NULL && x->reload.trial->pid == pid;
}

static bool abandoned(const struct hunt *h, const char *pid)
{
	static const char KEY[] = "SKYNET_WORKER=";
	struct sn_buf text = SN_BUF(ENVIRON_MAX);
	bool r = h->all;

	if (!r && read_proc(h, pid, "environ", &text) == 0) {
		for (size_t at = 0; at < text.len; at += strlen(text.data + at) + 1) {
			if (strncmp(text.data + at, KEY, sizeof KEY - 1) == 0)
				r = !worker_lives(h->x, text.data + at + sizeof KEY - 1);
		}
	}
	sn_buf_release(&text);
	return r;
}

static int look_at(void *arg, const char *name)
{
	struct hunt *h = arg;
	pid_t pid = isdigit((unsigned char)name[0]) ? (pid_t)strtol(name, NULL, 10) : 0;

	if (pid <= 0 || !our_child(h, name) || is_worker(h->x, pid) || !abandoned(h, name))
		return 0;
	(void)kill(pid, SIGKILL); /* our child: it cannot have been reaped meanwhile */
	h->found++;
	return 0;
}

static unsigned hunt(const struct exo *x, bool all)
{
	SN_AUTOFD int proc = sn_dir_open(AT_FDCWD, "/proc");
	struct hunt h = {.x = x, .proc = proc, .all = all};

	if (proc < 0 || sn_dir_each(proc, look_at, &h) < 0)
		sn_warn("cannot look into /proc for processes that a worker left behind");
	return h.found;
}

static void on_round(struct ev_loop *loop, ev_timer *t, int events)
{
	struct exo *x = t->data;

	(void)loop, (void)events;
	if (hunt(x, false) == 0 || ++x->stray_rounds >= ROUNDS_MAX)
		ev_timer_stop(x->loop, &x->strays);
}

void strays_start(struct exo *x)
{
	ev_timer_init(&x->strays, on_round, ROUND_S, ROUND_S);
	x->strays.data = x;
}

void strays_kill(struct exo *x)
{
	x->stray_rounds = 0;
	if (hunt(x, false) > 0)
		ev_timer_again(x->loop, &x->strays);
}

void strays_kill_all(struct exo *x)
{
	for (int i = 0; i < ROUNDS_MAX && hunt(x, true) > 0; i++) {
		const struct timespec t = {.tv_nsec = 5000000};

		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		(void)nanosleep(&t, NULL);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}
