/* exo-exec --home HOME NAME. Started by exo only: it needs the descriptors of docs/WORKER.md. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "program.h"
#include "svc/worker.h"
#include "sys/fd.h"
#include "sys/signame.h"

struct exec {
	struct sn_worker worker; /* first: the class gets this */
	struct program program;
	char *path;
	sigset_t term;
	bool running, cancelled; /* under worker.lock */
};

static int load(struct sn_worker *w, char *ret_why, size_t size)
{
	struct exec *x = (struct exec *)w;
	int r;

	(void)sigemptyset(&x->term);
	(void)sigaddset(&x->term, SIGTERM);
	x->path = sn_worker_code(w);
	r = program_init(&x->program);
	if (r == 0 && setenv("SKYNET_HOME", w->home.root, 1) < 0)
		r = -errno;
	if (r == 0 && faccessat(AT_FDCWD, x->path, X_OK, AT_EACCESS) < 0)
		r = -errno;
	if (r < 0)
		(void)snprintf(ret_why, size, "%s cannot be executed: %s", x->path,
			       strerror(-r)); /* cut if ever */
	return r < 0 ? -1 : 0;
}

static int set_environment(const struct sn_worker *w)
{
	SN_AUTOFREE char *file = w->replay
					 ? sn_strdup("/dev/stdin")
					 : sn_asprintf("%s/%s/open/%s", w->home.spool, w->name, w->job.name);
	char attempt[16];
	const struct {
		const char *name, *value;
	} VARS[] = {
		{"SKYNET_WFID", w->job.item.fei.wfid}, {"SKYNET_EXPID", w->job.item.fei.expid},
		{"SKYNET_WORKITEM", w->job.name},      {"SKYNET_WORKITEM_FILE", file},
		{"SKYNET_ATTEMPT", attempt},
	};

	(void)snprintf(attempt, sizeof attempt, "%u", w->job.attempt); /* fits */
	for (size_t i = 0; i < SN_COUNT(VARS); i++) {
		if (setenv(VARS[i].name, VARS[i].value, 1) < 0)
			return -errno;
	}
	return 0;
}

/* Cancel ends the whole group, of which we are one: the signal waits for us meanwhile. One from somebody else waits until
 * the program has ended, and then ends us. */
static void set_running(struct exec *x, bool running)
{
	static const struct timespec NOW = {0};
	siginfo_t si;

	if (running)
		(void)pthread_sigmask(SIG_BLOCK, &x->term, NULL);
	(void)pthread_mutex_lock(&x->worker.lock);
	x->running = running;
	if (running)
		x->cancelled = false;
	(void)pthread_mutex_unlock(&x->worker.lock);
	if (running)
		return;
	if (sigtimedwait(&x->term, &si, &NOW) == SIGTERM && si.si_pid != getpid())
		(void)raise(SIGTERM);
	(void)pthread_sigmask(SIG_UNBLOCK, &x->term, NULL);
}

static void answer(struct exec *x, struct sn_answer *ret)
{
	const struct program *p = &x->program;
	const bool exited = p->code == CLD_EXITED;
	char how[96], message[160];

	if (p->flooded) {
		sn_worker_error(&x->worker, "the reply is larger than max_size", "", 0, ret);
	} else if (exited && p->status <= 1) {
		sn_worker_reply(&x->worker, p->reply.data, p->reply.len, p->status == 0, ret);
	} else {
		sn_describe_end(p->code, p->status, how, sizeof how);
		(void)snprintf(message, sizeof message, "%s%s%s", x->worker.config.participant.code,
			       x->cancelled ? " was cancelled, " : " ", how); /* cut if ever */
		sn_worker_error(&x->worker, message, p->last, p->last_len, ret);
	}
}

/* What the program reads. Not ours: it, and what it leaves behind, must not hold the lock. */
static int open_input(const struct sn_worker *w)
{
	int fd;

	if (w->replay)
		return lseek(w->job.fd, 0, SEEK_SET) < 0 ? -errno : fcntl(w->job.fd, F_DUPFD_CLOEXEC, 0);
	fd = openat(w->spool.open, w->job.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void run(struct sn_worker *w, struct sn_answer *ret)
{
	struct exec *x = (struct exec *)w;
	SN_AUTOFD int in = -1;
	int r;

	sn_worker_look(w);
	x->program.reply.max_bytes = w->config.participant.max_size_bytes;
	set_running(x, true);
	in = open_input(w);
	r = in < 0 ? in : set_environment(w);
	if (r == 0)
		r = program_start(&x->program, x->path, in);
	if (r < 0) { /* not the workitem's fault: the next worker's load says what is wrong, if it stays so */
		sn_err("%s cannot be started: %s", x->path, strerror(-r));
		_exit(1);
	}
	program_follow(&x->program);
	set_running(x, false);
	answer(x, ret);
	if (x->program.out >= 0 || x->program.err >= 0) {
		int from[2] = {sn_fd_steal(&x->program.out), sn_fd_steal(&x->program.err)};

		tail_start(w, from);
		ret->dirty = true;
	}
	program_reap_orphans();
}

static void release(struct sn_worker *w, struct sn_answer *a)
{
	struct exec *x = (struct exec *)w;

	(void)a;
	if (x->program.reply.cap > CHUNK_BYTES)
		sn_buf_release(&x->program.reply);
}

/* -- control, on the watch thread */

static void say(const char *id, const char *json)
{
	char text[512];
	int n = snprintf(text, sizeof text, "answer %s %s", id, json); /* ids are short; exo knows its own */

	if (n < (int)sizeof text && sn_fd_send(SN_WORKER_CONTROL, text, (size_t)n, -1) < 0)
		sn_debug("worker: exo takes no answer");
}

/* "ID NAME,aN": splits arg; is that workitem being worked on? */
static bool is_current(const struct exec *x, const char *arg, char ret_id[32])
{
	const char *leaf = strchr(arg, ' ');
	size_t len = leaf != NULL ? (size_t)(leaf - arg) : strlen(arg);

	(void)snprintf(ret_id, 32, "%.*s", (int)(len < 31 ? len : 31), arg);
	return x->running && leaf != NULL && strcmp(leaf + 1, x->worker.job.leaf) == 0;
}

static void on_cancel(struct sn_worker *w, const char *arg)
{
	struct exec *x = (struct exec *)w;
	char id[32];
	const bool current = is_current(x, arg, id);

	/* Before it can take effect: an answer behind the end of the work is none. */
	say(id, current ? "{\"answer\":\"SIGTERM\"}" : "{\"absent\":\"finished meanwhile\"}");
	if (!current)
		return;
	x->cancelled = true;
	(void)kill(0, SIGTERM); /* our own group */
}

static void on_status(struct sn_worker *w, const char *arg)
{
	char id[32];

	(void)is_current((struct exec *)w, arg, id);
	say(id, "{\"absent\":\"an executable has no status()\"}");
}

static const struct sn_worker_verb VERBS[] = {
	{"stop", NULL},				 /* nothing to tell: no program waits for work */
	{"die", NULL},	       {"stacks", NULL}, /* exo says what the kernel knows of the group */
	{"cancel", on_cancel}, {"status", on_status}, {NULL, NULL}};

static const struct sn_worker_class CLASS = {
	.program = "exo-exec", .load = load, .run = run, .release = release, .verbs = VERBS};

int main(int argc, char **argv)
{
	struct exec *x = sn_calloc(1, sizeof *x);

	return sn_worker_main(&x->worker, &CLASS, argc, argv);
}
