/* stacks: workers print where they are (docs/CONTROL.md), and what the kernel says of their processes. */
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "control.h"
#include "exo.h"
#include "sys/dir.h"

enum { PROCS_MAX = 1024, PROCS_SHOWN = 64, WORD_SIZE = 64 };

struct proc {
	pid_t pid, group;
	char state;
	char command[WORD_SIZE], wchan[WORD_SIZE];
};

struct procs {
	const struct exo *x;
	const char *key;
	int dir;
	size_t count;
	struct proc *list; /* PROCS_MAX */
};

static bool read_text(int proc, const char *pid, const char *leaf, char *text, size_t size)
{
	char path[64];
	SN_AUTOFD int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof path, "%.20s/%s", pid, leaf); /* fits */
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool wanted(const struct procs *p, pid_t group)
{
	for (unsigned i = 0; i < p->x->worker_count; i++) {
		const struct worker *w = p->x->workers[i];

		if (w->pid == group && enquiry_means(w, p->key))
			return true;
	}
	return false;
}

/* "PID (COMMAND) STATE PARENT GROUP …" */
static int look_at(void *arg, const char *name)
{
	struct procs *p = arg;
	struct proc *one = &p->list[p->count];
	char text[512], *open, *close;
	int parent, group;

	if (!isdigit((unsigned char)name[0]) || !read_text(p->dir, name, "stat", text, sizeof text))
		return 0;
	open = strchr(text, '(');
	close = strrchr(text, ')');
	if (open == NULL || close == NULL || sscanf(close, ") %c %d %d", &one->state, &parent, &group) != 3 ||
	    !wanted(p, group))
		return 0;
	*close = '\0';
	one->pid = (pid_t)strtol(name, NULL, 10);
	one->group = group;
	(void)snprintf(one->command, sizeof one->command, "%s", open + 1); /* the kernel keeps 15 bytes */
	if (!read_text(p->dir, name, "wchan", one->wchan, sizeof one->wchan))
		one->wchan[0] = '\0'; /* it may have no right to know */
	return ++p->count == PROCS_MAX ? 1 : 0;
}

static void add_process(struct sn_jsonw *j, const struct worker *w, const struct proc *one)
{
	const char state[] = {one->state, '\0'};

	sn_info("worker %s: process %d (%s) in state %s, wchan %s", w->id, (int)one->pid, one->command, state,
		one->wchan[0] != '\0' ? one->wchan : "-");
	sn_jsonw_open(j, NULL, '{');
	sn_jsonw_number(j, "pid", one->pid);
	sn_jsonw_string(j, "command", one->command);
	sn_jsonw_string(j, "state", state);
	sn_jsonw_string(j, "wchan", one->wchan);
	sn_jsonw_close(j, '}');
}

static void answer(struct client *c, struct worker *w, const struct procs *p)
{
	struct sn_buf buf = SN_BUF(CONTROL_LINE_MAX);
	struct sn_jsonw j;
	unsigned shown = 0;

	talk_control(w, "stacks");
	line_begin(&j, &buf, "stacks");
	sn_jsonw_string(&j, "worker", w->id);
	sn_jsonw_number(&j, "pid", w->pid);
	sn_jsonw_open(&j, "processes", '[');
	for (size_t i = 0; i < p->count; i++) {
		if (p->list[i].group == w->pid && shown++ < PROCS_SHOWN)
			add_process(&j, w, &p->list[i]);
	}
	sn_jsonw_close(&j, ']');
	line_send(c, &j);
}

void enquiry_stacks(struct client *c, const struct request *rq)
{
	SN_AUTOFD int dir = sn_dir_open(AT_FDCWD, "/proc");
	SN_AUTOFREE struct proc *list = sn_calloc(PROCS_MAX, sizeof *list);
	struct procs p = {.x = c->x, .key = rq->key, .dir = dir, .list = list};
	unsigned found = 0;

	if (dir < 0 || sn_dir_each(dir, look_at, &p) < 0)
		sn_warn("cannot look into /proc");
	for (unsigned i = 0; i < c->x->worker_count; i++) {
		struct worker *w = c->x->workers[i];

		if (w->pid <= 0 || !enquiry_means(w, rq->key))
			continue;
		found++;
		answer(c, w, &p);
	}
	client_end(c, found > 0 ? 0 : SN_EXIT_UNKNOWN);
}
