#include <stdlib.h>

#include "air.h"
#include "bridge.h"
#include "data/workitem.h"
#include "sys/dir.h"

struct item *item_find(struct participant *p, const char *name)
{
	struct item *it;

	HASH_FIND_STR(p->items, name, it);
	return it;
}

struct item *item_add(struct participant *p, const char *name)
{
	struct item *it = sn_calloc(1, sizeof *it);

	it->p = p;
	it->lock = -1;
	memcpy(it->name, name, strlen(name) + 1);
	it->received_ns = sn_clock_mono_ns();
	STAILQ_INIT(&it->messages);
	it->result.text = SN_BUF(p->config.participant.max_size_bytes + 65536);
	HASH_ADD_STR(p->items, name, it);
	air_added(p->b->air, it);
	return it;
}

static struct item_list *list_of(struct item *it, enum item_state state)
{
	struct bridge *b = it->p->b;

	if (state == ITEM_READY)
		return &b->ready;
	return state == ITEM_WAITING || state == ITEM_RETIRING ? &b->waiting : NULL;
}

void item_set_state(struct item *it, enum item_state state)
{
	struct bridge *b = it->p->b;
	struct item_list *from = list_of(it, it->state), *to = list_of(it, state);

	if ((state == ITEM_RETIRING) != (it->state == ITEM_RETIRING)) {
		b->retiring += state == ITEM_RETIRING ? 1 : -1U;
		if (b->retiring == (state == ITEM_RETIRING ? 1 : 0))
			status_touch(b);
	}
	if (from != NULL)
		TAILQ_REMOVE(from, it, pending);
	if (to != NULL)
		TAILQ_INSERT_TAIL(to, it, pending);
	if (to != NULL && to == &b->waiting)
		item_retry(b);
	it->state = state;
}

void item_retry(struct bridge *b)
{
	if (ev_is_active(&b->retry_timer))
		return;
	ev_timer_set(&b->retry_timer, 1., 0.);
	ev_timer_start(b->loop, &b->retry_timer);
}

void item_set_unsynced(struct item *it, bool on)
{
	struct bridge *b = it->p->b;

	if (on == it->unsynced_listed)
		return;
	if (on)
		TAILQ_INSERT_TAIL(&b->unsynced, it, unsynced_link);
	else
		TAILQ_REMOVE(&b->unsynced, it, unsynced_link);
	it->unsynced_listed = on;
}

void item_remove(struct item *it)
{
	results_detach(it);
	item_set_state(it, ITEM_OPEN);
	item_set_unsynced(it, false);
	messages_forget(it);
	journals_forget(it);
	if (!it->aside) {
		air_removed(it->p->b->air, it);
		HASH_DEL(it->p->items, it);
	}
	if (it->lock >= 0) {
		(void)close(it->lock); /* it was only read */
		it->p->b->locks--;
	}
	sn_result_release(&it->result);
	free(it->fei);
	free(it->ids);
	free(it->log);
	free(it);
}

void item_note(struct item *it, const struct sn_workitem *w, size_t len)
{
	const size_t wfid_len = strlen(w->fei.wfid), expid_len = strlen(w->fei.expid);

	it->fei = sn_strndup(w->fei_raw.data, w->fei_raw.len);
	it->fei_len = w->fei_raw.len;
	it->forget = w->forget;
	it->size_bytes = len;
	it->ids = sn_malloc(wfid_len + expid_len + 2);
	memcpy(it->ids, w->fei.wfid, wfid_len + 1);
	memcpy(it->ids + wfid_len + 1, w->fei.expid, expid_len + 1);
}

int item_learn(struct item *it)
{
	struct sn_buf b = SN_BUF(it->p->config.participant.max_size_bytes);
	struct sn_workitem w;
	int r;

	if (it->fei != NULL)
		return 0;
	r = sn_dir_read(it->p->spool.open, it->name, &b);
	if (r == 0) {
		sn_workitem_read(b.data != NULL ? b.data : "", b.len, &w);
		if (w.kind == SN_WORKITEM_WORK)
			item_note(it, &w, b.len);
		else
			r = -EBADMSG;
	}
	sn_buf_release(&b);
	return r;
}
