/* Cancel items: recorded (cancel.1), decided (cancel.2, cancel.3). */
#include "cancel.h"

#include <fcntl.h>
#include <stdlib.h>

#include "consumer.h"
#include "data/digest.h"
#include "spool/claim.h"
#include "sys/dir.h"

/* ---- redeliveries ------------------------------------------------------ */

static void note(struct participant *p, uint64_t digest, uint64_t epoch)
{
	struct canceller *c = canceller_of(p);

	if (c->recent == NULL)
		c->recent = sn_calloc(CANCELS_MAX, sizeof *c->recent);
	c->recent[c->recent_next] = (struct cancel_recent){digest, epoch};
	c->recent_next = (c->recent_next + 1) % CANCELS_MAX;
	if (c->recent_count < CANCELS_MAX)
		c->recent_count++;
}

void cancel_note(struct participant *p, const char *name)
{
	note(p, sn_name_digest(name), 0);
}

/* Is it recorded, and no delivery of this channel belongs to it yet? Then this one does. */
static bool joins(struct participant *p, uint64_t digest)
{
	struct canceller *c = canceller_of(p);
	const uint64_t epoch = p->ch.epoch;

	for (unsigned i = 0; i < c->recent_count; i++) {
		if (c->recent[i].digest == digest && c->recent[i].epoch != epoch) {
			c->recent[i].epoch = epoch;
			return true;
		}
	}
	return false;
}

/* ---- who is meant ------------------------------------------------------ */

struct targets {
	struct participant *p;
	const char *cancel; /* its name: what arrived later is not meant */
	char (*names)[SN_NAME_SIZE];
	size_t count, cap, limit;
};

static void add_target(struct targets *t, const char *name)
{
	if (t->count == t->cap) {
		t->cap = t->cap > 0 ? 2 * t->cap : 4;
		t->names = sn_realloc(t->names, t->cap * sizeof *t->names);
	}
	memcpy(t->names[t->count++], name, strlen(name) + 1);
}

/* Everything in open/ that arrived before the cancel item, up to the limit. */
static int list_open(void *arg, const char *name)
{
	struct targets *t = arg;

	if (sn_name_valid(name) && strcmp(name, t->cancel) < 0)
		add_target(t, name);
	return t->count == t->limit;
}

/* `skynet put`: not delivered by us, and not seen at reconcile yet. */
static struct item *find_or_add(struct participant *p, const char *name)
{
	struct item *it = item_find(p, name);

	if (it == NULL) {
		it = item_add(p, name);
		it->synced = true; /* it has no delivery to ack */
	}
	return it;
}

static int learn_of(void *arg, const char *name)
{
	if (sn_name_valid(name))
		(void)find_or_add(arg, name);
	return 0;
}

/* The label stands for the wfid: only what has the same is looked into. */
static void match(struct targets *t, const struct sn_fei *fei)
{
	struct sn_name_clock clock = {0};
	char probe[SN_NAME_SIZE];
	struct item *it, *next;

	sn_name_make(&clock, 0, fei->wfid, probe);
	HASH_ITER(hh, t->p->items, it, next)
	{
		struct sn_fei its;

		if (strcmp(it->name + SN_NAME_FIXED, probe + SN_NAME_FIXED) != 0 ||
		    strcmp(it->name, t->cancel) > 0 || item_learn(it) < 0)
			continue;
		sn_fei_read((struct sn_span){it->fei, it->fei_len}, &its);
		if (sn_fei_same(&its, fei))
			add_target(t, it->name);
	}
}

/* 0 or -errno. *ret_tell: it cannot be known. Decided once more after a crash it comes out the
 * same: what is meant stays open until cancel.3, and nothing that arrived later counts. */
static int find_targets(struct targets *t, const struct sn_workitem *w, bool *ret_tell)
{
	int r = 0;

	*ret_tell = false;
	if (w->fei_is_object) {
		match(t, &w->fei);
		if (t->count > 0)
			return 0;
		r = sn_dir_each(t->p->spool.open, learn_of, t->p);
		if (r == 0)
			match(t, &w->fei);
		return r;
	}
	t->limit = 2;
	r = sn_dir_each(t->p->spool.open, list_open, t);
	*ret_tell = t->count > 1;
	if (*ret_tell)
		t->count = 0;
	return r < 0 ? r : 0;
}

/* ---- deciding ---------------------------------------------------------- */

static int mark(struct targets *t)
{
	struct participant *p = t->p;

	for (size_t i = 0; i < t->count; i++) {
		struct item *it = find_or_add(p, t->names[i]);
		int r = sn_cancel_mark(&p->spool, it->name, t->cancel);

		if (r < 0)
			return r;
		it->cancelled = true;
		sn_info("participant=%s name=%s cancel=%s: cancelled by the engine%s", p->name, it->name,
			t->cancel, r == 1 ? ", again" : "");
	}
	return 0;
}

static int decide(struct participant *p, const char *name, const struct sn_workitem *w)
{
	struct targets t = {.p = p, .cancel = name};
	bool tell = false;
	int r = find_targets(&t, w, &tell);

	if (r == 0)
		r = mark(&t);
	if (r == 0)
		r = sn_cancel_decided(&p->spool, name, tell);
	if (r == 0 && t.count == 0)
		sn_warn("participant=%s cancel=%s: %s", p->name, name,
			tell ? "it does not say which of several workitems: the handlers are told"
			     : "cancels nothing that is open here");
	for (size_t i = 0; i < t.count && r == 0; i++)
		cancel_do(p, TASK_PURSUE, t.names[i]);
	free(t.names);
	if (r == 0 && tell)
		cancel_do(p, TASK_TELL, name);
	return r;
}

int cancel_decide(struct participant *p, const char *name)
{
	struct sn_buf b = SN_BUF(p->config.participant.max_size_bytes);
	char leaf[SN_CANCEL_LEAF_SIZE];
	struct sn_workitem w;
	int r;

	sn_cancel_format(name, SN_CANCEL_ITEM, leaf);
	r = sn_dir_read(p->spool.open, leaf, &b);
	if (r == 0 && sn_digest_short(b.data != NULL ? b.data : "", b.len) != sn_name_digest(name))
		r = -EBADMSG; /* spool-put is writing it, or was cut short: the next start of ours removes it */
	if (r == 0) {
		sn_workitem_read(b.data != NULL ? b.data : "", b.len, &w);
		r = decide(p, name, &w);
	}
	sn_buf_release(&b);
	return r;
}

enum delivered cancel_message(struct participant *p, char name[SN_NAME_SIZE], const struct sn_workitem *w)
{
	const uint64_t digest = sn_name_digest(name);
	int r;

	if (p->ch.redelivered && joins(p, digest)) {
		sn_info("participant=%s digest=%016llx: a cancel item that the broker sent again", p->name,
			(unsigned long long)digest);
		return deliver_aside(p, name);
	}
	r = sn_cancel_store(&p->spool, name, p->ch.body.data, p->ch.body.len);
	if (r < 0)
		return deliver_failed(p, name, r);
	note(p, digest, p->ch.epoch);
	r = decide(p, name, w);
	if (r < 0) {
		sn_warn("participant=%s cancel=%s: cannot be decided yet: %s", p->name, name, strerror(-r));
		cancel_later(p, TASK_DECIDE, name);
	}
	return deliver_aside(p, name);
}

/* ---- what is found in open/ -------------------------------------------- */

static void remove_short(struct participant *p, const char *leaf, const char *name)
{
	struct sn_buf b = SN_BUF(p->config.participant.max_size_bytes);
	SN_AUTOFD int lock = sn_claim_lock(&p->spool, leaf, false);
	int r = lock < 0 ? lock : sn_dir_read(p->spool.open, leaf, &b);

	if (r == -EAGAIN) /* spool-put is writing it: it is decided when it is whole */
		return;
	if (r == 0 && sn_digest_short(b.data != NULL ? b.data : "", b.len) != sn_name_digest(name)) {
		sn_info("participant=%s name=%s: cut short, removed", p->name, leaf);
		r = sn_dir_unlink(p->spool.open, leaf);
	}
	if (r < 0)
		sn_err("participant=%s name=%s: %s", p->name, leaf, strerror(-r));
	sn_buf_release(&b);
}

void cancel_found(struct participant *p, const char *leaf)
{
	char name[SN_NAME_SIZE];
	enum sn_cancel_leaf kind = sn_cancel_parse(leaf, name);

	if (kind == SN_CANCEL_OTHER)
		return;
	if (kind == SN_CANCEL_ITEM)
		remove_short(p, leaf, name);
	if (kind == SN_CANCEL_MARK) {
		cancel_later(p, TASK_PURSUE, name);
		return;
	}
	sn_name_clock_seed(&p->b->names, name);
	cancel_note(p, name);
	cancel_later(p, kind == SN_CANCEL_TELL ? TASK_TELL : TASK_DECIDE, name);
}

void cancel_entry(struct participant *p, const char *leaf)
{
	char name[SN_NAME_SIZE];

	switch (sn_cancel_parse(leaf, name)) {
	case SN_CANCEL_ITEM:
		cancel_later(p, TASK_DECIDE, name);
		break;
	case SN_CANCEL_TELL:
		cancel_later(p, TASK_TELL, name);
		break;
	case SN_CANCEL_MARK:
		cancel_later(p, item_find(p, name) != NULL ? TASK_PURSUE : TASK_SETTLE, name);
		break;
	case SN_CANCEL_OTHER:
	case SN_CANCEL_LEAVES:
		break;
	}
}

bool cancel_bell(struct participant *p, const char *leaf)
{
	char name[SN_NAME_SIZE];

	if (sn_cancel_parse(leaf, name) != SN_CANCEL_ITEM || unlinkat(p->spool.result, leaf, 0) < 0)
		return false; /* a directory, say: the participant's doing */
	/* The participant can ring, too; it cannot write into open/. */
	if (faccessat(p->spool.open, leaf, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		cancel_do(p, TASK_DECIDE, name);
	return true;
}
