/* What exo asks handlers by way of their workers, and their answers. */
#include <stdlib.h>

#include "base/mem.h"
#include "cancel.h"
#include "control.h"
#include "data/json.h"
#include "data/workitem.h"
#include "exo.h"

enum { JSON_KEYS = 3 };

struct ask {
	struct ask *next;
	unsigned id;
	struct client *client; /* NULL: of a cancellation */
	struct worker *worker;
	struct item item;
};

int ask_worker(struct worker *w, const char *verb, const struct item *it, struct client *c)
{
	struct control *k = &w->x->control;
	char leaf[SN_ATTEMPT_SIZE], text[SN_ATTEMPT_SIZE + 32];
	struct ask *a;
	int r;

	item_leaf(it, leaf);
	(void)snprintf(text, sizeof text, "%s %u %s", verb, ++k->last_id, leaf); /* fits */
	r = talk_say(w, text);
	if (r < 0)
		return r;
	a = sn_malloc(sizeof *a);
	*a = (struct ask){.next = k->asks, .id = k->last_id, .client = c, .worker = w, .item = *it};
	k->asks = a;
	if (c != NULL)
		c->pending++;
	return 0;
}

/* The member of the worker's object that counts: an index of KEYS, or -1. */
static int choose(const char *json, struct sn_span *ret)
{
	static const char *const KEYS[JSON_KEYS] = {"answer", "error", "absent"};
	struct sn_span values[JSON_KEYS] = {{0}};

	if (sn_json_object(json, strlen(json), KEYS, values, JSON_KEYS) < 0)
		return -1;
	for (int i = 0; i < JSON_KEYS; i++) {
		if (values[i].data != NULL && (i == ANSWER_VALUE || values[i].data[0] == '"')) {
			*ret = values[i];
			return i;
		}
	}
	return -1;
}

void answer_line(struct sn_jsonw *j, const struct handler_answer *h)
{
	static const char *const KEYS[] = {
		[ANSWER_VALUE] = "answer", [ANSWER_ERROR] = "error", [ANSWER_ABSENT] = "absent"};

	if (h->json.data != NULL)
		sn_jsonw_raw(j, KEYS[h->kind], h->json.data, h->json.len);
	else
		sn_jsonw_string(j, KEYS[h->kind], h->text);
}

static void tell_client(const struct ask *a, const struct handler_answer *h)
{
	struct sn_buf buf = SN_BUF(CONTROL_LINE_MAX);
	struct client *c = a->client;
	struct sn_fei fei = {0};
	struct sn_jsonw j;

	(void)fei_read(c->x, a->item.name, &fei); /* retired meanwhile: the name is known */
	line_begin(&j, &buf, "answer");
	sn_jsonw_string(&j, "worker", a->worker->id);
	sn_jsonw_string(&j, "name", a->item.name);
	sn_jsonw_string(&j, "wfid", fei.wfid);
	answer_line(&j, h);
	line_send(c, &j);
	if (--c->pending == 0)
		client_end(c, 0);
}

static void finish(struct ask *a, const struct handler_answer *h)
{
	if (a->client != NULL && !a->client->dead)
		tell_client(a, h);
	else if (a->client == NULL)
		cancel_answered(a->worker, &a->item, h);
	free(a);
}

static struct ask *unlink_one(struct control *k, bool (*match)(const struct ask *, const void *),
			      const void *arg)
{
	for (struct ask **at = &k->asks; *at != NULL; at = &(*at)->next) {
		struct ask *a = *at;

		if (match(a, arg)) {
			*at = a->next;
			return a;
		}
	}
	return NULL;
}

struct reply {
	const struct worker *worker;
	unsigned id;
};

static bool by_id(const struct ask *a, const void *arg)
{
	const struct reply *r = arg;

	return a->id == r->id && a->worker == r->worker;
}

static bool by_worker(const struct ask *a, const void *arg)
{
	return a->worker == arg;
}

static bool by_client(const struct ask *a, const void *arg)
{
	return a->client == arg;
}

void ask_answered(struct worker *w, const char *text)
{
	struct handler_answer h = {.kind = ANSWER_ERROR, .text = "the worker's answer is no JSON"};
	char *json;
	struct reply r = {.worker = w, .id = (unsigned)strtoul(text, &json, 10)};
	struct ask *a = unlink_one(&w->x->control, by_id, &r);
	int kind;

	if (a == NULL)
		return; /* too late */
	kind = choose(json, &h.json);
	if (kind >= 0)
		h.kind = (enum answer_kind)kind;
	finish(a, &h);
}

void asks_drop_worker(struct worker *w)
{
	const struct handler_answer h = {.kind = ANSWER_ABSENT, .text = "its worker has ended"};
	struct ask *a;

	while ((a = unlink_one(&w->x->control, by_worker, w)) != NULL)
		finish(a, &h);
}

void asks_drop_client(struct client *c, const char *why)
{
	const struct handler_answer h = {.kind = ANSWER_ABSENT, .text = why};
	struct ask *a;

	while ((a = unlink_one(&c->x->control, by_client, c)) != NULL)
		finish(a, &h);
}
