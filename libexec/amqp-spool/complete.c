/* An answered workitem: acked, retired, and written into the history. */
#include <stdlib.h>

#include "bridge.h"
#include "cancel.h"
#include "consumer.h"
#include "data/digest.h"
#include "data/workitem.h"
#include "disk.h"
#include "gone.h"
#include "spool/retire.h"
#include "sys/dir.h"

enum { RETIRE_RETRY_S = 5 };

void item_ack(struct item *it)
{
	consumer_due(it->p->b->consumer, it->p, it->epoch, it->tag);
	it->epoch = 0;
	item_set_unsynced(it, false);
}

static void write_row(const struct item *it)
{
	const struct sn_result *head = &it->result.head;
	struct sn_history_row row = {
		.outcome = it->cancelled ? SN_CANCELLED : head->outcome,
		.failed = it->log != NULL,
		.attempt = head->attempt,
		.started_us = head->started_us,
		.finished_us = head->finished_us,
		.retired_us = sn_clock_real_us(),
		.bytes = it->size_bytes,
		.reply_bytes = head->length,
	};

	sn_copy_text(row.name, sizeof row.name, it->name);
	sn_copy_text(row.participant, sizeof row.participant, it->p->name);
	if (it->ids != NULL) {
		sn_copy_text(row.wfid, sizeof row.wfid, it->ids);
		sn_copy_text(row.expid, sizeof row.expid, it->ids + strlen(it->ids) + 1);
	}
	disk_row(it->p->b->disk, &row);
}

static void release_hold(struct participant *p)
{
	if (!p->held || HASH_COUNT(p->items) >= (p->config.participant.hold + 1) / 2)
		return;
	p->held = false;
	consumer_update(p->b->consumer, p);
}

static struct sn_retirement retirement(const struct item *it)
{
	return (struct sn_retirement){
		.name = it->name,
		.failed = it->log != NULL,
		.result = it->result.text.data,
		.result_len = it->result.text.len,
		.log = it->log,
	};
}

void items_keep(struct item *const *items, size_t count)
{
	struct sn_retirement r[ITEMS_KEEP_MAX];
	int n;

	for (size_t i = 0; i < count; i++)
		r[i] = retirement(items[i]);
	for (size_t i = 0; i < count; i += (size_t)n) {
		n = sn_retire_keep_first(&items[0]->p->spool, r + i, count - i);
		if (n < 0)
			return; /* item_complete() will say why */
		for (size_t k = i; k < i + (size_t)n; k++)
			items[k]->kept = true;
	}
}

void item_complete(struct item *it)
{
	struct participant *p = it->p;
	const struct sn_retirement r = retirement(it);
	int err = it->kept ? 0 : sn_retire_keep(&p->spool, &r);
	bool again;

	it->kept = err == 0;
	if (err == 0)
		err = sn_retire(&p->spool, &r);
	item_ack(it); /* the reply is with the broker, or none is due */
	if (err < 0 && err != -ENOENT) {
		it->retry_at_ns = sn_clock_mono_ns() + (int64_t)RETIRE_RETRY_S * 1000000000;
		again = it->state == ITEM_RETIRING;
		p->b->retire_error = err;
		item_set_state(it, ITEM_RETIRING);
		if (again) /* said once */
			return;
		sn_err("participant=%s name=%s: cannot retire: %s", p->name, it->name, strerror(-err));
		results_leave(it); /* the outbox forgets it before it is retired */
		return;
	}
	if (it->cancelled)
		cancel_settle(p, it->name);
	if (err == 0) {
		write_row(it);
		recent_add(p, it->name);
	}
	gone_forget(it);
	item_remove(it);
	release_hold(p);
}

/* The error reply that stands in for what the participant should have written, as a result. */
static int make_invalid(struct item *it, const char *why)
{
	struct participant *p = it->p;
	const struct sn_error_reply e = {.class_name = p->config.participant.error_class, .message = why};
	struct sn_buf work = SN_BUF(p->config.participant.max_size_bytes);
	struct sn_buf reply = SN_BUF(work.max_bytes + 65536);
	struct sn_result head = it->result.head;
	int r = sn_dir_read(p->spool.open, it->name, &work);

	if (r == 0)
		r = sn_workitem_add_error(work.data, work.len, &e, &reply);
	if (r == 0) {
		head.outcome = SN_INVALID;
		head.send = SN_SEND_REPLY;
		head.attempt = head.attempt > 0 ? head.attempt : 1;
		head.length = reply.len;
		sn_copy_text(head.name, sizeof head.name, it->name);
		if (head.finished_us == 0)
			head.started_us = head.finished_us = sn_clock_real_us();
		sn_digest_hex(reply.data, reply.len, head.sha256);
		sn_buf_release(&it->result.text);
		it->result.text = SN_BUF(reply.max_bytes + SN_RESULT_HEADER_MAX);
		r = sn_result_format(&head, &it->result.text);
		it->result.body_at = it->result.text.len;
		it->result.head = head;
	}
	if (r == 0)
		r = sn_buf_add(&it->result.text, reply.data, reply.len);
	sn_buf_release(&work);
	sn_buf_release(&reply);
	return r;
}

void item_keep_rejected(struct item *it)
{
	int r, dir = sn_spool_failed_dir(&it->p->spool, it->name);
	char leaf[SN_NAME_SIZE + 16];

	if (dir < 0 || it->result.text.len == 0)
		return;
	(void)snprintf(leaf, sizeof leaf, "%s.rejected", it->name); /* fits */
	r = sn_dir_create(dir, leaf, it->result.text.data, it->result.text.len);
	if (r < 0 && r != -EEXIST)
		sn_warn("name=%s: cannot keep what was rejected: %s", it->name, strerror(-r));
}

bool item_fail_invalid(struct item *it, const char *why)
{
	struct participant *p = it->p;
	int r;

	sn_warn("participant=%s name=%s: %s", p->name, it->name, why);
	item_keep_rejected(it);
	r = make_invalid(it, why);
	if (r < 0) {
		sn_err("participant=%s name=%s: cannot make an error reply, tried again later: %s", p->name,
		       it->name, strerror(-r));
		return false;
	}
	free(it->log);
	it->log = sn_asprintf("outcome: invalid\n%s\n", why);
	return true;
}
