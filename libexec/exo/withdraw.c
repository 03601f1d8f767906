/* Cancelling what no worker has begun: in new/, or in cur/ with exo. */
#include "answer.h"
#include "base/mem.h"
#include "cancel.h"
#include "data/workitem.h"
#include "exo.h"
#include "sys/dir.h"

struct search {
	struct exo *x;
	const char *key;
	struct item_list found;
};

/* It lies in cur/. */
static void withdraw_one(struct client *c, const struct request *rq, const struct item *it)
{
	char leaf[SN_ATTEMPT_SIZE], message[128];
	const struct answer a = {.outcome = SN_CANCELLED, .silent = rq->quiet, .message = message};
	struct cancel_event e = {.name = it->name, .event = "withdrawn"};
	struct sn_fei fei = {0};
	struct cancel *k;
	int r;

	(void)snprintf(message, sizeof message, "%s: cancelled before it was begun", c->x->name); /* fits */
	item_leaf(it, leaf);
	(void)fei_read(c->x->spool.cur, leaf, &fei); /* only for the answer */
	e.wfid = fei.wfid;
	r = answer_make(c->x, it, &a);
	if (r == 0) {
		sn_info("name=%s: cancelled before it was begun%s", it->name,
			rq->quiet ? " by the engine" : "");
		cancel_line(c, &e);
		return;
	}
	sn_err("name=%s: cancelled, its answer cannot be stored, tried again later: %s", it->name,
	       strerror(-r));
	k = cancel_add(c->x, it, fei.wfid); /* it stays in cur/; it must not run */
	if (k != NULL)
		k->quiet = k->quiet || rq->quiet;
	if (k == NULL || item_list_add(&c->follows, it) < 0)
		client_error(c, SN_EXIT_TRY_AGAIN, "too many are being cancelled");
	else
		cancel_line(c,
			    &(struct cancel_event){.name = it->name, .wfid = fei.wfid, .event = "requested"});
}

static unsigned withdraw_claimed(struct client *c, const struct request *rq)
{
	struct item_list *l = &c->x->claimed;
	unsigned found = 0;

	for (size_t i = 0; i < l->count;) {
		struct item it = l->items[i];

		if (!key_names(c->x, rq->key, &it)) {
			i++;
			continue;
		}
		item_list_remove(l, i);
		found++;
		withdraw_one(c, rq, &it);
	}
	return found;
}

/* new/ may hold many: only those whose label fits are read. */
static int look_at_new(void *arg, const char *name)
{
	struct search *s = arg;
	struct item it = {.attempt = 1};
	struct sn_fei fei;

	if (!sn_name_valid(name) || exo_held(s->x, name) != NULL)
		return 0;
	if (strcmp(name, s->key) != 0 &&
	    (!sn_name_maybe_of(name, s->key) || !fei_read(s->x->spool.new, name, &fei) ||
	     strcmp(fei.wfid, s->key) != 0))
		return 0;
	memcpy(it.name, name, strlen(name) + 1); /* valid: it fits */
	return item_list_add(&s->found, &it) < 0 ? 1 : 0;
}

/* What lies in cur/ and nobody has in hand: the list of the claimed was full, or an answer could not be stored. */
static int look_at_cur(void *arg, const char *leaf)
{
	struct search *s = arg;
	struct item it;

	if (sn_attempt_parse(leaf, it.name, &it.attempt) < 0 || exo_held(s->x, it.name) != NULL ||
	    !key_names(s->x, s->key, &it) || sn_claim_has_result(&s->x->spool, it.name) != 0)
		return 0;
	return item_list_add(&s->found, &it) < 0 ? 1 : 0;
}

static unsigned withdraw_in(struct client *c, const struct request *rq, bool new, bool *ret_more)
{
	struct search s = {.x = c->x, .key = rq->key};
	unsigned found = 0;
	int r = new ? sn_dir_each(c->x->spool.new, look_at_new, &s)
		    : sn_dir_each(c->x->spool.cur, look_at_cur, &s);

	if (r < 0)
		sn_err("cannot read work/%s: %s", new ? "new" : "cur", strerror(-r));
	*ret_more = *ret_more || r > 0;
	for (size_t i = 0; i < s.found.count; i++) {
		const struct item *it = &s.found.items[i];

		r = new ? sn_claim(&c->x->spool, it->name) : 0;
		if (r < 0 && r != -ENOENT)
			sn_err("name=%s: cannot be claimed: %s", it->name, strerror(-r));
		if (r < 0)
			continue;
		found++;
		withdraw_one(c, rq, it);
	}
	item_list_release(&s.found);
	return found;
}

unsigned withdraw(struct client *c, const struct request *rq, bool *ret_more)
{
	*ret_more = false;
	return withdraw_claimed(c, rq) + withdraw_in(c, rq, true, ret_more) +
	       withdraw_in(c, rq, false, ret_more);
}
