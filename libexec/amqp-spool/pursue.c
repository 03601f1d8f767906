/* A marked workitem (docs/SPOOL.md, section 10): withdrawn, where nobody has it in hand. */
#include <fcntl.h>

#include "cancel.h"
#include "control.h"
#include "data/digest.h"
#include "spool/recover.h"

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

/* It is in nobody's hands: retired, its reply never to be. */
static enum progress withdraw(struct item *it)
{
	struct participant *p = it->p;

	if (item_learn(it) < 0)
		sn_debug("name=%s: not learnt", it->name); /* only the history misses something */
	if (make_result(it) < 0)
		return AGAIN;
	sn_info("participant=%s name=%s: withdrawn", p->name, it->name);
	item_complete(it); /* RETIRING if it fails: it is tried again there */
	return DONE;
}

static int remove_leaf(int dir, const char *leaf)
{
	return unlinkat(dir, leaf, 0) < 0 && errno != ENOENT ? -errno : 0;
}

static bool all_is_read(const struct participant *p)
{
	return !p->unread && !p->rescan && p->scan == NULL && !p->crowded;
}

/* Nobody has it in hand. What its handler had to say may stand in a journal that was not read yet; nothing is added to that now,
 * so it was at the second look. leaf: in cur/, or NULL. */
static enum progress abandoned(struct item *it, const char *leaf)
{
	struct participant *p = it->p;
	const bool again = it->abandoned;

	it->abandoned = true;
	if (!again || !all_is_read(p) || !STAILQ_EMPTY(&it->messages))
		return AGAIN;
	return leaf != NULL && remove_leaf(p->spool.cur, leaf) < 0 ? AGAIN : withdraw(it);
}

/* Where is it? DONE: withdrawn, or its result will decide; CALLS: exo has it. */
static enum progress look(struct item *it)
{
	struct participant *p = it->p;
	const unsigned max = p->config.participant.max_attempts;
	char leaf[SN_ATTEMPT_SIZE];
	unsigned attempt = 0;
	int r = sn_cancel_withdraw(&p->spool, it->name);

	if (r == 0)
		return withdraw(it);
	if (r != -ENOENT && r != -EISDIR && r != -EPERM) /* a planted directory is as good as nothing */
		return AGAIN;
	switch (sn_recover_find(&p->spool, it->name, max, &attempt)) {
	case SN_HELD:
		(void)snprintf(leaf, sizeof leaf, "%s.hold", it->name); /* fits */
		return remove_leaf(p->spool.open, leaf) < 0 ? AGAIN : look(it);
	case SN_IN_CUR:
		sn_attempt_format(it->name, attempt, leaf);
		if (!control_exo_lives(p->b->rundirs, p->name))
			return abandoned(it, leaf);
		it->abandoned = false;
		return CALLS;
	case SN_NOWHERE:
	case SN_WITHDRAWN:
		/* Twice: exo may give it back (cur → new) between two look-ups. */
		return sn_recover_find(&p->spool, it->name, max, &attempt) == SN_WITHDRAWN
			       ? abandoned(it, NULL)
			       : AGAIN;
	case SN_IN_NEW:
		break;
	}
	return AGAIN;
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
