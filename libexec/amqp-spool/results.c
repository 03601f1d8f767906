/* result/new → publisher. What a participant wrote is read here, and believed in nothing. */
#include <fcntl.h>
#include <stdlib.h>

#include "bridge.h"
#include "cancel.h"
#include "data/workitem.h"
#include "publisher.h"
#include "reject.h"
#include "spool/deliver.h"
#include "spool/retire.h"
#include "sys/dir.h"

enum { PER_TURN = 256, RETRY_FIRST_S = 5, RETRY_MAX_S = 60, LINKED_RETRY_S = 5 };

static void wait_s(struct item *it, unsigned seconds)
{
	it->retry_at_ns = sn_clock_mono_ns() + (int64_t)seconds * 1000000000;
	item_set_state(it, ITEM_WAITING);
}

static void drop_text(struct item *it)
{
	sn_buf_release(&it->result.text);
	it->result.text = SN_BUF(it->p->config.participant.max_size_bytes + 65536);
}

static unsigned backoff_s(unsigned n)
{
	unsigned s = RETRY_FIRST_S;

	for (; n > 1 && s < RETRY_MAX_S; n--)
		s *= 2;
	return s < RETRY_MAX_S ? s : RETRY_MAX_S;
}

/* ---- replies ----------------------------------------------------------- */

static bool is_sent(const struct item *it)
{
	return it->p->b->publisher != NULL && it->result.head.send == SN_SEND_REPLY && !it->forget &&
	       !it->cancelled;
}

static struct job *make_job(struct participant *p, const char *leaf)
{
	struct job *j = sn_calloc(1, sizeof *j);

	sn_copy_text(j->participant, sizeof j->participant, p->name);
	sn_copy_text(j->leaf, sizeof j->leaf, leaf);
	sn_copy_text(j->queue, sizeof j->queue, p->b->config.boss.engine_queue);
	return j;
}

/* The result is read and in order: out with it, or straight to retire. False: the publisher takes no more now. */
static bool send_result(struct item *it)
{
	struct job *j;

	if (!is_sent(it)) {
		item_complete(it);
		return true;
	}
	j = make_job(it->p, it->name);
	j->body = it->result.text.data + it->result.body_at;
	j->len = it->result.head.length;
	if (!publisher_submit(it->p->b->publisher, j)) {
		job_free(j);
		return false;
	}
	item_set_state(it, ITEM_PUBLISHING);
	return true;
}

/* publish.1 of one READY item. False: stop for now. */
static bool take_result(struct item *it)
{
	struct participant *p = it->p;
	const char *why = NULL;
	int r;

	if (it->messages_out > 0 || it->message_due) {
		wait_s(it, 1);
		return true;
	}
	if (it->log == NULL) { /* else it is our own error reply, made before */
		drop_text(it);
		r = item_learn(it);
		if (r == 0)
			r = sn_result_read(&p->spool, it->name, p->uid, &it->result);
		if (r == -EMLINK) {
			sn_warn("participant=%s name=%s: the result has a second link, looked at again later",
				p->name, it->name);
			wait_s(it, LINKED_RETRY_S);
			return true;
		}
		if (r == -ENOENT) {
			item_set_state(it, ITEM_OPEN);
			return true;
		}
		if (r < 0) {
			reject_result(it, r);
			return true;
		}
		if (it->result.head.send == SN_SEND_REPLY &&
		    sn_workitem_check_reply((struct sn_span){it->fei, it->fei_len},
					    it->result.text.data + it->result.body_at, it->result.head.length,
					    &why) < 0)
			item_fail_invalid(it, why);
		else
			it->log = reject_log(it);
	}
	return send_result(it);
}

void results_pump(struct bridge *b)
{
	struct item *it;
	unsigned budget = PER_TURN;

	if (b->stopping && b->publisher == NULL)
		return;
	rescan_go_on(b);
	while ((it = TAILQ_FIRST(&b->ready)) != NULL) {
		if (b->publisher != NULL && !publisher_ready(b->publisher))
			return; /* the next wake comes from it */
		if (budget-- == 0) {
			ev_async_send(b->loop, &b->wake); /* the rest in the next turn */
			return;
		}
		if (!take_result(it))
			return;
	}
}

void results_retry(struct bridge *b)
{
	const int64_t now = sn_clock_mono_ns();
	struct item *it, *next;

	for (it = TAILQ_FIRST(&b->waiting); it != NULL; it = next) {
		next = TAILQ_NEXT(it, pending);
		if (it->retry_at_ns > now)
			continue;
		if (it->state == ITEM_RETIRING)
			item_complete(it);
		else
			item_set_state(it, ITEM_READY);
	}
	if (!TAILQ_EMPTY(&b->waiting) && !ev_is_active(&b->retry_timer)) {
		ev_timer_set(&b->retry_timer, 1., 0.);
		ev_timer_start(b->loop, &b->retry_timer);
	}
}

/* ---- messages sent on the way ------------------------------------------ */

static bool message_in_order(struct item *it, const struct sn_result_file *f, const char **ret_why)
{
	static const char *const KEYS[] = {"fei", "fields", "definition"};
	const char *body = f->text.data + f->body_at;
	struct sn_span v[3];

	*ret_why = "the message says neither message nor launch";
	if (f->head.send == SN_SEND_MESSAGE)
		return sn_workitem_check_reply((struct sn_span){it->fei, it->fei_len}, body, f->head.length,
					       ret_why) == 0;
	if (f->head.send != SN_SEND_LAUNCH)
		return false;
	*ret_why = "not a launch item";
	return sn_json_object(body, f->head.length, KEYS, v, 3) == 0 && v[2].data != NULL &&
	       !(v[0].data != NULL && v[1].data != NULL);
}

static void finish_message(struct item *it, const char *leaf, const char *text, size_t len)
{
	struct sn_spool *s = &it->p->spool;
	int dir = sn_spool_done_dir(s, it->name);
	int r = dir < 0 ? dir : sn_dir_create(dir, leaf, text, len);

	if (r < 0 && r != -EEXIST)
		sn_warn("participant=%s name=%s: cannot keep a copy: %s", it->p->name, leaf, strerror(-r));
	r = sn_dir_unlink(s->result, leaf);
	if (r < 0)
		sn_err("participant=%s name=%s: cannot remove: %s", it->p->name, leaf, strerror(-r));
}

static void send_message(struct item *it, const char *leaf, unsigned number, struct sn_result_file *f)
{
	struct bridge *b = it->p->b;
	struct job *j;

	if (b->publisher == NULL && !bridge_brokerless(b)) { /* at start: it is not there yet */
		it->p->rescan = it->message_due = true;
		return;
	}
	if (b->publisher == NULL) {
		finish_message(it, leaf, f->text.data + f->body_at, f->head.length);
		return;
	}
	j = make_job(it->p, leaf);
	j->body = memcpy(sn_malloc(f->head.length), f->text.data + f->body_at, f->head.length);
	j->len = f->head.length;
	j->own_body = true;
	if (!publisher_submit(b->publisher, j)) {
		it->p->rescan = it->message_due = true;
		job_free(j);
		return;
	}
	it->message_due = false;
	it->messages_out++;
	it->last_message = number;
}

static void message_event(struct participant *p, const char *leaf, const char *name, unsigned number)
{
	struct sn_result_file f = {.text = SN_BUF(p->config.participant.max_size_bytes + 65536)};
	struct item *it = item_find(p, name);
	const char *why = "no open workitem";
	int r = -ENOENT;

	if (it != NULL && number <= it->last_message)
		return; /* on its way */
	if (it != NULL && (r = item_learn(it)) == 0)
		r = sn_result_read(&p->spool, leaf, p->uid, &f);
	if (r == 0 && message_in_order(it, &f, &why)) {
		send_message(it, leaf, number, &f);
	} else if (r == -EMLINK) {
		p->rescan = true;
	} else if (r != -ENOENT || it == NULL) {
		sn_warn("participant=%s name=%s: message dropped: %s", p->name, leaf,
			r < 0 ? strerror(-r) : why);
		reject_entry(p, leaf);
		if (it != NULL)
			it->message_due = false;
	}
	sn_result_release(&f);
}

/* ---- names that turn up in result/new ---------------------------------- */

void results_event(struct participant *p, const char *leaf)
{
	char name[SN_NAME_SIZE];
	unsigned number;
	struct item *it;

	if (sn_message_parse(leaf, name, &number) == 0) {
		message_event(p, leaf, name, number);
		return;
	}
	if (!sn_name_valid(leaf)) {
		if (!cancel_bell(p, leaf))
			reject_entry(p, leaf);
		return;
	}
	it = item_find(p, leaf);
	if (it == NULL && faccessat(p->spool.open, leaf, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		it = item_add(p, leaf); /* `skynet put`: not delivered by us */
	if (it == NULL)
		reject_orphan(p, leaf);
	else if (it->state == ITEM_OPEN)
		item_set_state(it, ITEM_READY);
}

/* ---- what comes back from the publisher -------------------------------- */

static void message_done(struct item *it, const struct job *j, unsigned number)
{
	if (it->messages_out > 0)
		it->messages_out--;
	if (j->outcome == JOB_RETURNED) {
		it->last_message = number - 1; /* again at the next reconcile */
		it->message_due = true;
		return;
	}
	if (it->messages_out == 0 && !it->message_due && it->state == ITEM_WAITING)
		item_set_state(it, ITEM_READY);
	finish_message(it, j->leaf, j->body != NULL ? j->body : "", j->len);
}

/* For the status: is the engine's queue there? */
static void queue_seen(struct bridge *b, const struct job *j)
{
	const bool missing = j->outcome == JOB_RETURNED;

	if (missing == (b->no_queue[0] != '\0'))
		return;
	(void)snprintf(b->no_queue, sizeof b->no_queue, "%s", missing ? j->queue : "");
	status_touch(b);
}

static void reply_done(struct item *it, const struct job *j)
{
	struct participant *p = it->p;

	queue_seen(p->b, j);
	if (j->outcome == JOB_RETURNED) {
		it->returns++;
		if (it->returns == 1)
			sn_warn("participant=%s name=%s: there is no queue %s; the reply is kept and sent again",
				p->name, it->name, j->queue);
		if (it->log == NULL)
			drop_text(it);
		wait_s(it, backoff_s(it->returns));
		return;
	}
	if (j->outcome == JOB_KNOWN) { /* sent by the bridge before us; read it for the copy in done/ */
		if (item_learn(it) < 0 || sn_result_read(&p->spool, it->name, p->uid, &it->result) < 0) {
			drop_text(it);
			return; /* retired already, or changed: the rescan decides */
		}
		it->log = reject_log(it);
	}
	if (it->cancelled)
		cancel_too_late(it);
	item_complete(it);
}

void results_job_done(struct bridge *b, struct job *j)
{
	struct participant *p = participant_find(b, j->participant);
	char name[SN_NAME_SIZE];
	unsigned number = 0;
	struct item *it;

	if (sn_message_parse(j->leaf, name, &number) < 0)
		sn_copy_text(name, sizeof name, j->leaf);
	it = p != NULL && sn_name_valid(name) ? item_find(p, name) : NULL;
	if (it != NULL && number > 0)
		message_done(it, j, number);
	else if (it != NULL && (it->state == ITEM_PUBLISHING || j->outcome == JOB_KNOWN))
		reply_done(it, j);
	job_free(j);
}
