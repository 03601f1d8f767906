/* One workitem: claim.2, result.1, result.2. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fail.h"
#include "base/log.h"
#include "data/digest.h"
#include "spool/result.h"
#include "sys/dir.h"
#include "sys/fd.h"
#include "worker.h"

enum { KEEP_BYTES = 256 << 10 };

struct order {
	char leaf[SN_ATTEMPT_SIZE];
	unsigned slot;
};

/* "work NAME,aN SLOT" */
static int parse(struct worker *w, char *text, struct order *ret)
{
	char *leaf, *slot, *rest = text;

	if (strncmp(strsep(&rest, " "), "work", 5) != 0)
		return -EPROTO;
	leaf = rest != NULL ? strsep(&rest, " ") : NULL;
	slot = rest;
	if (leaf == NULL || slot == NULL || slot[0] < '0' || slot[0] >= '0' + SLOTS || slot[1] != '\0')
		return -EPROTO;
	if (sn_attempt_parse(leaf, w->name_now, &w->attempt) < 0)
		return -EPROTO;
	memcpy(ret->leaf, leaf, strlen(leaf) + 1); /* parsed: it fits */
	ret->slot = (unsigned)(slot[0] - '0');
	return 0;
}

/* Output goes to the workitem's pipe from here on. */
static int redirect(struct worker *w, const struct order *o, int fresh)
{
	int *slot = &w->slots[o->slot];

	if (fresh >= 0 && *slot < 0)
		*slot = fcntl(fresh, F_DUPFD_CLOEXEC, FIRST_OWN_FD);
	else if (fresh >= 0 && dup3(fresh, *slot, O_CLOEXEC) < 0)
		return -errno;
	w->slot_now = o->slot;
	if (dup2(*slot, STDOUT_FILENO) < 0 || dup2(*slot, STDERR_FILENO) < 0)
		return -errno;
	return 0;
}

/* Does anything that the workitem started live on? As long as orphans come to us, ECHILD is a proof that nothing does. */
static const char *left_behind(struct worker *w)
{
	siginfo_t si;

	if (!w->shared && waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 && errno == ECHILD)
		return "clean";
	if (!w->shared && prctl(PR_SET_CHILD_SUBREAPER, 0) == 0)
		w->shared = true; /* exo reaps what the participant abandons from now on */
	return "dirty";
}

static int read_body(struct worker *w, const char *leaf, struct sn_buf *ret)
{
	SN_AUTOFD int fd = -1;
	int r = SN_FAIL("claim.2");

	if (r < 0)
		return r;
	fd = openat(w->spool.cur, leaf, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	r = sn_fd_read_all(fd, ret);
	if (r == 0 && sn_digest_short(ret->data, ret->len) != sn_name_digest(w->name_now))
		r = -EBADMSG;
	return r;
}

static int write_result(struct worker *w, const char *leaf, const struct python_answer *a, int64_t started_us)
{
	struct sn_result res = {
		.attempt = w->attempt, .started_us = started_us, .finished_us = sn_clock_real_us()};
	int r = sn_outcome_parse(a->outcome, &res.outcome);

	if (r == 0)
		r = sn_send_parse(a->send, &res.send);
	if (r < 0)
		return r;
	sn_digest_hex(a->body, a->len, res.sha256);
	return sn_result_write(&w->spool, leaf, &res, a->body, a->len, w->config.participant.sync_results);
}

static void do_work(struct worker *w, const char *leaf, const struct sn_buf *body)
{
	int64_t started_us = sn_clock_real_us();
	struct python_answer a;
	int r;

	w->messages = 0;
	w->busy = true;
	r = python_run(leaf, body, &a);
	w->busy = false;
	if (w->forked)
		_exit(0); /* a fork of the participant's came out of its handler */
	if (r < 0)
		_exit(1); /* _runtime promises that it never raises; the traceback is in the output */
	r = write_result(w, leaf, &a, started_us);
	if (r < 0)
		work_tell("nospace %s %d %zu %s", leaf, -r, a.len, left_behind(w));
	else
		work_tell("done %s %s %s", leaf, a.outcome, left_behind(w));
	python_answer_release(&a);
}

static void begin(struct worker *w, const struct order *o, struct sn_buf *body)
{
	int r = read_body(w, o->leaf, body);

	if (r == 0) {
		do_work(w, o->leaf, body);
	} else if (r == -ENOENT) {
		work_tell("gone %s %s", o->leaf, left_behind(w));
	} else if (r == -EBADMSG || r == -E2BIG) {
		(void)unlinkat(w->spool.cur, o->leaf,
			       0); /* the bridge links it in again, or finds it damaged */
		work_tell("damaged %s %s", o->leaf, left_behind(w));
	} else {
		sn_err("cannot read %s: %s", o->leaf, strerror(-r));
		_exit(1); /* counts as an attempt */
	}
}

bool work_next(struct worker *w)
{
	static struct sn_buf body; /* kept: most workitems are small */
	char text[PACKET_SIZE];
	struct order o;
	int fresh = -1, r;
	ssize_t n = sn_fd_recv(FD_WORK, text, sizeof text, &fresh, 0);

	if (n <= 0)
		return false;
	r = parse(w, text, &o);
	if (r == 0)
		r = redirect(w, &o, fresh);
	if (fresh >= 0)
		(void)close(fresh);
	if (r < 0) {
		sn_err("worker: cannot do \"%s\": %s", text, strerror(-r));
		_exit(1);
	}
	body.max_bytes = w->config.participant.max_size_bytes + 1;
	sn_buf_reset(&body);
	begin(w, &o, &body);
	if (body.cap > KEEP_BYTES)
		sn_buf_release(&body);
	return true;
}
