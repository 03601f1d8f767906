/* From the journals to the publisher. What a participant wrote is read here, and believed in nothing. */
#include <fcntl.h>
#include <stdlib.h>

#include "bridge.h"
#include "cancel.h"
#include "data/workitem.h"
#include "gone.h"
#include "publisher.h"
#include "reject.h"

enum { PER_TURN = 256, RETRY_FIRST_S = 5, RETRY_MAX_S = 60 };

static void wait_s(struct item *it, unsigned seconds)
{
	it->retry_at_ns = sn_clock_mono_ns() + (int64_t)seconds * 1000000000;
	item_set_state(it, ITEM_WAITING);
}

static void drop_text(struct item *it)
{
	free(it->log);
	it->log = NULL;
	sn_buf_release(&it->result.text);
	it->result.text = SN_BUF(it->p->config.participant.max_size_bytes + 65536);
}

unsigned results_backoff_s(unsigned n)
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

void results_detach(struct item *it)
{
	if (it->state == ITEM_PUBLISHING)
		gone_detach(it, it->name, &it->result.text);
}

void results_leave(struct item *it)
{
	if (it->known || (it->state == ITEM_RETIRING && is_sent(it)))
		gone_remember(it, it->name);
}

struct job *job_make(struct participant *p, const char *leaf)
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
	j = job_make(it->p, it->name);
	j->body = it->result.text.data + it->result.body_at;
	j->len = it->result.head.length;
	if (!publisher_submit(it->p->b->publisher, j)) {
		job_free(j);
		return false;
	}
	item_set_state(it, ITEM_PUBLISHING);
	return true;
}

/* It is with the broker. */
static void sent(struct item *it)
{
	item_set_state(it, ITEM_OPEN);
	if (it->cancelled)
		cancel_too_late(it);
	item_complete(it);
}

static int read_answer(struct item *it)
{
	int r = item_learn(it);

	if (r == 0)
		r = it->journal == NULL ? -EBADMSG
					: sn_result_read(it->journal->fd, &it->record, &it->result);
	return r;
}

/* 0, or -errno; *ret_why: it is whole, but no reply to this workitem. */
static int look(struct item *it, const char **ret_why)
{
	int r;

	*ret_why = NULL;
	drop_text(it);
	r = read_answer(it);
	if (r == 0 && (it->result.head.send != SN_SEND_REPLY ||
		       sn_workitem_check_reply((struct sn_span){it->fei, it->fei_len},
					       it->result.text.data + it->result.body_at,
					       it->result.head.length, ret_why) == 0))
		it->log = reject_log(it);
	return r;
}

/* False: it was not to be had now. */
static bool take_text(struct item *it)
{
	const char *why;
	int r = look(it, &why);

	if (r < 0 && reject_is_passing(r)) {
		sn_err("participant=%s name=%s: cannot be looked at, tried again later: %s", it->p->name,
		       it->name, strerror(-r));
		wait_s(it, RETRY_FIRST_S);
	} else if (r < 0) {
		reject_result(it, r);
	} else if (why != NULL && !item_fail_invalid(it, why)) {
		wait_s(it, RETRY_MAX_S);
	} else {
		return true;
	}
	return false;
}

/* The broker has the reply, from a bridge before us: it is only read for what is kept. */
static void known(struct item *it)
{
	const char *why;
	int r;

	it->known = true;
	if (it->journal == NULL) {
		it->p->b->resolving = true;
		return;
	}
	do
		r = look(it, &why);
	while (r < 0 && !reject_is_passing(r) && journals_next_answer(it));
	if (r < 0)
		why = reject_reason(r);
	if (r < 0 && reject_is_passing(r))
		wait_s(it, RETRY_FIRST_S);
	else if (why != NULL && !item_fail_invalid(it, why)) /* so was what had been sent */
		wait_s(it, RETRY_MAX_S);
	else
		sent(it);
}

/* publish.1 of one READY item. False: stop for now. */
static bool take_result(struct item *it)
{
	if (it->known) {
		known(it);
		return true;
	}
	if (!STAILQ_EMPTY(&it->messages) || gone_is_out(it->p->b, it->p->name, it->name)) {
		wait_s(it, 1);
		return true;
	}
	/* Our own error reply was made before. */
	return it->log == NULL && !take_text(it) ? true : send_result(it);
}

void results_pump(struct bridge *b)
{
	struct item *it;
	unsigned budget = PER_TURN;

	if (b->stopping && b->publisher == NULL)
		return;
	rescan_go_on(b);
	messages_pump(b);
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
	messages_retry(b);
	if (!TAILQ_EMPTY(&b->waiting) || !TAILQ_EMPTY(&b->muted))
		item_retry(b);
}

/* ---- what comes back from the publisher -------------------------------- */

/* For the status: is the engine's queue there? */
static void queue_seen(struct bridge *b, const struct job *j)
{
	const bool missing = j->outcome == JOB_RETURNED;

	if (j->outcome == JOB_KNOWN || missing == (b->no_queue[0] != '\0'))
		return;
	(void)snprintf(b->no_queue, sizeof b->no_queue, "%s", missing ? j->queue : "");
	status_touch(b);
}

static void reply_done(struct item *it, const struct job *j)
{
	struct participant *p = it->p;

	if (j->outcome == JOB_RETURNED) {
		it->returns++;
		if (it->returns == 1)
			sn_warn("participant=%s name=%s: there is no queue %s; the reply is kept and sent again",
				p->name, it->name, j->queue);
		if (it->log == NULL)
			drop_text(it);
		wait_s(it, results_backoff_s(it->returns));
		return;
	}
	sent(it);
}

void results_answered(struct item *it)
{
	if (it->known)
		known(it);
	else
		item_set_state(it, ITEM_READY);
}

/* The item that it is about; NULL: it is gone. *ret_number: of its message; 0: it is the answer. */
static struct item *item_of(struct bridge *b, const struct job *j, unsigned *ret_number)
{
	struct participant *p = participant_find(b, j->participant);
	char name[SN_NAME_SIZE];

	*ret_number = 0;
	if (sn_message_parse(j->leaf, name, ret_number) < 0)
		sn_copy_text(name, sizeof name, j->leaf);
	return p != NULL && sn_name_valid(name) ? item_find(p, name) : NULL;
}

static void job_done(struct bridge *b, struct job *j)
{
	unsigned number;
	struct item *it = item_of(b, j, &number);

	queue_seen(b, j);
	if (it != NULL && number > 0)
		message_done(it, j, number);
	else if (it != NULL && it->state == ITEM_PUBLISHING)
		reply_done(it, j);
	else if (it != NULL &&
		 j->outcome != JOB_RETURNED) /* or its participant went and came back meanwhile */
		known(it);
	else if (it == NULL && j->outcome != JOB_RETURNED && participant_find(b, j->participant) == NULL)
		gone_taken(b, j->participant, j->leaf);
	gone_is_back(b, j);
	job_free(j);
}

/* The ordinary ones of a batch are kept together. */
static void keep_ahead(struct bridge *b, const struct job_list *jobs)
{
	struct item *items[ITEMS_KEEP_MAX];
	size_t count = 0;
	const struct job *j;

	STAILQ_FOREACH(j, jobs, link)
	{
		unsigned number;
		struct item *it = j->outcome == JOB_CONFIRMED ? item_of(b, j, &number) : NULL;

		if (it == NULL || number > 0 || it->state != ITEM_PUBLISHING || it->kept || it->cancelled ||
		    it->log != NULL)
			continue;
		if (count == ITEMS_KEEP_MAX || (count > 0 && items[0]->p != it->p)) {
			items_keep(items, count);
			count = 0;
		}
		items[count++] = it;
	}
	if (count > 1)
		items_keep(items, count);
}

void results_jobs_done(struct bridge *b, struct job_list *jobs)
{
	struct job *j;

	keep_ahead(b, jobs);
	while ((j = STAILQ_FIRST(jobs)) != NULL) {
		STAILQ_REMOVE_HEAD(jobs, link);
		job_done(b, j);
	}
}
