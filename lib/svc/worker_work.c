/* One workitem: claim.1, claim.2, result.1, result.2. */
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "data/digest.h"
#include "spool/claim.h"
#include "spool/result.h"
#include "svc/worker.h"
#include "sys/dir.h"
#include "sys/fd.h"

enum { KEEP_BYTES = 256 << 10, REPLY_EXTRA_BYTES = 64 << 10 };

/* "work NAME,aN SLOT" */
static int parse(struct sn_worker *w, char *text, unsigned *ret_slot)
{
	char *leaf, *slot, *rest = text;

	if (strncmp(strsep(&rest, " "), "work", 5) != 0)
		return -EPROTO;
	leaf = rest != NULL ? strsep(&rest, " ") : NULL;
	slot = rest;
	if (leaf == NULL || slot == NULL || slot[0] < '0' || slot[0] >= '0' + SN_WORKER_SLOTS ||
	    slot[1] != '\0')
		return -EPROTO;
	if (sn_attempt_parse(leaf, w->job.name, &w->job.attempt) < 0)
		return -EPROTO;
	memcpy(w->job.leaf, leaf, strlen(leaf) + 1); /* parsed: it fits */
	*ret_slot = (unsigned)(slot[0] - '0');
	return 0;
}

/* Output goes to the workitem's pipe from here on. */
static int redirect(struct sn_worker *w, unsigned number, int fresh)
{
	int *slot = &w->slots[number];

	if (fresh >= 0 && *slot < 0)
		*slot = sn_fd_dup_high(fresh);
	else if (fresh >= 0 && dup3(fresh, *slot, O_CLOEXEC) < 0)
		return -errno;
	w->slot_now = number;
	if (dup2(*slot, STDOUT_FILENO) < 0 || dup2(*slot, STDERR_FILENO) < 0)
		return -errno;
	return 0;
}

/* Does anything that the workitem started live on? As long as orphans come to us, ECHILD is a proof that nothing does. */
static const char *left_behind(struct sn_worker *w, bool dirty)
{
	siginfo_t si;

	if (!dirty && !w->shared && waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 &&
	    errno == ECHILD)
		return "clean";
	if (!w->shared && prctl(PR_SET_CHILD_SUBREAPER, 0) == 0)
		w->shared = true; /* exo reaps what the participant abandons from now on */
	return "dirty";
}

static int read_body(struct sn_worker *w)
{
	int r = SN_FAIL("claim.2");
	struct stat st;

	if (r < 0)
		return r;
	w->job.fd = sn_claim(&w->spool, w->job.name, &st);
	if (w->job.fd == -ENOENT && sn_spool_verify(&w->spool) < 0)
		return -EBADF; /* looked for in a directory of the participant's */
	if (w->job.fd < 0)
		return w->job.fd;
	w->job.file = (struct sn_fd_id){st.st_dev, st.st_ino};
	r = sn_fd_read_sized(w->job.fd, &w->job.body, (size_t)st.st_size);
	if (r == 0 && sn_digest_short(w->job.body.data, w->job.body.len) != sn_name_digest(w->job.name))
		r = -EBADMSG;
	return r;
}

/* With the lock `writing` held. */
static int append(struct sn_worker *w, struct sn_result *res, const void *body, size_t len)
{
	res->attempt = w->job.attempt;
	res->finished_us = sn_clock_real_us();
	memcpy(res->name, w->job.name, sizeof res->name);
	sn_digest_hex(body, len, res->sha256);
	return sn_result_write(&w->spool, res, body, len, w->config.participant.sync_results);
}

/* A message that another thread is about to send comes before it, or not at all. */
static int write_result(struct sn_worker *w, const struct sn_answer *a, int64_t started_us)
{
	struct sn_result res = {.outcome = a->outcome, .send = a->send, .started_us = started_us};
	int r;

	(void)pthread_mutex_lock(&w->writing);
	w->job.runs = false;
	r = append(w, &res, a->body, a->len);
	(void)pthread_mutex_unlock(&w->writing);
	return r;
}

int sn_worker_message(struct sn_worker *w, enum sn_send kind, const void *body, size_t len)
{
	struct sn_result res = {.outcome = SN_OK, .send = kind, .started_us = sn_clock_real_us()};
	int r;

	(void)pthread_mutex_lock(&w->writing);
	res.message = w->job.messages + 1;
	if (!w->job.runs)
		r = -EINVAL; /* nobody would send it */
	else if (res.message > SN_MESSAGE_MAX)
		r = -E2BIG;
	else
		r = append(w, &res, body, len);
	if (r == 0)
		w->job.messages++;
	(void)pthread_mutex_unlock(&w->writing);
	return r;
}

/* Before exo hears that it is over: the next one to lock it may be told at once. */
void sn_worker_let_go(struct sn_worker *w)
{
	/* Else user code has closed it; that may be a file of its own. */
	if (sn_fd_is(w->job.fd, &w->job.file))
		(void)close(w->job.fd); /* it was only read */
	w->job.fd = -1;
}

/* Without printf: one of these is sent for each workitem. */
static void tell_done(struct sn_worker *w, enum sn_outcome outcome, const char *end)
{
	char text[SN_ATTEMPT_SIZE + 64], *to = stpcpy(text, "done "); /* all of them fit */

	to = stpcpy(stpcpy(to, w->job.leaf), " ");
	to = stpcpy(stpcpy(to, sn_outcome_name(outcome)), " ");
	sn_worker_send(text, (size_t)(stpcpy(to, end) - text));
}

/* Only the next worker can store anything again, or find out what there is to do. */
static SN_NORETURN void end_without_spool(void)
{
	sn_err("worker: the participant's code has closed the directories of its spool");
	_exit(SN_EXIT_TEMPORARY); /* counts as an attempt */
}

static void do_work(struct sn_worker *w)
{
	int64_t started_us = sn_clock_real_us();
	struct sn_answer a = {0};
	int r;

	w->job.messages = 0;
	w->job.runs = true;
	w->class->run(w, &a);
	if (w->forked)
		_exit(0); /* a fork of the participant's came out of its code */
	r = write_result(w, &a, started_us);
	sn_worker_let_go(w);
	if (r == -EBADF) /* exo is not told: that socket may be a stranger's now, too */
		end_without_spool();
	if (w->class->release != NULL)
		w->class->release(w, &a);
	if (r < 0)
		sn_worker_tell("nospace %s %d %zu %s", w->job.leaf, -r, a.len, left_behind(w, a.dirty));
	else
		tell_done(w, a.outcome, left_behind(w, a.dirty));
	if (w->class->tidy != NULL)
		w->class->tidy(w);
}

static void begin(struct sn_worker *w)
{
	int r = read_body(w);

	if (r == 0) {
		do_work(w);
	} else if (r == -ENOENT || r == -EAGAIN) {
		sn_worker_tell("gone %s %s", w->job.leaf, left_behind(w, false));
	} else if (r == -EBADMSG || r == -E2BIG) {
		sn_worker_let_go(w);
		sn_worker_tell("damaged %s %s", w->job.leaf, left_behind(w, false));
	} else if (r == -EBADF) {
		end_without_spool();
	} else {
		sn_err("cannot read %s: %s", w->job.leaf, strerror(-r));
		_exit(1); /* counts as an attempt */
	}
}

/* Most workitems are small: their buffers are kept. */
static void reset(struct sn_buf *b)
{
	if (b->cap > KEEP_BYTES)
		sn_buf_release(b);
	else
		sn_buf_reset(b);
}

/* On its own, so that the packet is off the stack again when the work begins. False: there is no more. */
static __attribute__((noinline)) bool receive(struct sn_worker *w)
{
	char text[SN_WORKER_PACKET];
	unsigned slot;
	int fresh = -1, r;
	ssize_t n = sn_fd_recv(SN_WORKER_WORK, text, sizeof text, &fresh, 0);

	if (n <= 0)
		return false;
	r = parse(w, text, &slot);
	if (r == 0)
		r = redirect(w, slot, fresh);
	if (fresh >= 0)
		(void)close(fresh);
	if (r < 0) {
		sn_err("worker: cannot do \"%s\": %s", text, strerror(-r));
		_exit(1);
	}
	return true;
}

bool sn_worker_next(struct sn_worker *w)
{
	if (!receive(w))
		return false;
	w->job.body.max_bytes = w->config.participant.max_size_bytes + 1;
	w->reply.max_bytes = 2 * w->config.participant.max_size_bytes + REPLY_EXTRA_BYTES;
	begin(w);
	reset(&w->job.body);
	reset(&w->reply);
	return true;
}
