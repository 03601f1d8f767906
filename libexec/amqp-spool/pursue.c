/* A marked workitem (docs/SPOOL.md, section 10): withdrawn, where nobody has it in hand. */
#include "cancel.h"
#include "data/digest.h"

enum { LOCKS_MAX = 128 }; /* at a time: descriptors */

/* The result that nobody else will write. */
static int make_result(struct item *it)
{
	const int64_t now = sn_clock_real_us();
	struct sn_result head = {.outcome = SN_CANCELLED,
				 .send = SN_SEND_NOTHING,
				 .attempt = 1,
				 .started_us = now,
				 .finished_us = now};
	int r;

	sn_copy_text(head.name, sizeof head.name, it->name);
	sn_digest_hex("", 0, head.sha256);
	sn_buf_reset(&it->result.text);
	r = sn_result_format(&head, &it->result.text);
	it->result.body_at = it->result.text.len;
	it->result.head = head;
	return r;
}

static int remove_leaf(int dir, const char *leaf)
{
	return unlinkat(dir, leaf, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* It is in nobody's hands: retired, its reply never to be. */
static enum progress withdraw(struct item *it)
{
	struct participant *p = it->p;
	char hold[SN_ATTEMPT_SIZE];

	if (item_learn(it) < 0)
		sn_debug("name=%s: not learnt", it->name); /* only the history misses something */
	sn_mark_format(it->name, SN_MARK_HOLD, hold);
	if (remove_leaf(p->spool.open, hold) < 0 || make_result(it) < 0)
		return AGAIN;
	sn_info("participant=%s name=%s: withdrawn", p->name, it->name);
	item_complete(it); /* RETIRING if it fails: it is tried again there */
	return DONE;
}

/* Nobody begins it any more. What its handler had to say may stand in a journal that was not read yet: nothing is added to
 * that now, so all of them are looked at once more. */
static enum progress lock(struct item *it)
{
	struct participant *p = it->p;
	int fd;

	if (p->b->locks >= LOCKS_MAX)
		return SOON;
	fd = sn_cancel_withdraw(&p->spool, it->name);
	if (fd < 0)
		return fd == -EAGAIN ? CALLS : AGAIN;
	it->lock = fd;
	p->b->locks++;
	p->rescan = true;
	ev_async_send(p->b->loop, &p->b->wake);
	return SOON;
}

static bool all_is_read(const struct participant *p)
{
	const struct journal *j;

	TAILQ_FOREACH(j, &p->journals, link)
	{
		if (j->unreadable)
			return false;
	}
	return !p->unread && !p->rescan && p->scan == NULL && !p->crowded;
}

/* DONE: withdrawn; CALLS: somebody has it in hand. */
static enum progress look(struct item *it)
{
	if (it->lock < 0)
		return lock(it);
	return all_is_read(it->p) && STAILQ_EMPTY(&it->messages) ? withdraw(it) : AGAIN;
}

enum progress cancel_pursue(struct participant *p, const char *name)
{
	struct item *it = item_find(p, name);

	if (it == NULL) {
		cancel_settle(p, name);
		return DONE;
	}
	it->cancelled = true;
	if (it->state == ITEM_WAITING && STAILQ_EMPTY(&it->messages))
		item_set_state(it, ITEM_READY); /* its reply waits for a queue; it is not sent now */
	return it->state == ITEM_OPEN ? look(it) : DONE;
}

void cancel_too_late(struct item *it)
{
	struct sn_spool *s = &it->p->spool;
	char leaf[SN_CANCEL_LEAF_SIZE];

	sn_cancel_format(it->name, SN_CANCEL_MARK, leaf);
	if (remove_leaf(s->open, leaf) < 0) /* then it is filed as cancelled, though the engine has a reply */
		sn_warn("participant=%s name=%s: cannot remove its marker", it->p->name, it->name);
	else
		it->cancelled = false;
	sn_info("participant=%s name=%s: was answered before it was cancelled", it->p->name, it->name);
}

void cancel_settle(struct participant *p, const char *name)
{
	int r = sn_cancel_settle(&p->spool, name);

	if (r < 0 && r != -EBUSY) {
		sn_err("participant=%s name=%s: cannot file its marker: %s", p->name, name, strerror(-r));
		cancel_later(p, TASK_SETTLE, name);
	}
}
