/* Requests of AIR: taken apart, carried to the exo's, answered (docs/BRIDGE.md). */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>

#include "air_private.h"
#include "control.h"
#include "data/json.h"
#include "spool/cancel.h"
#include "spool/recover.h"

enum {
	MSGID_MAX = 512,
	ITEMS_MAX = 100,     /* shown of each participant */
	PARTS_MAX = 64,	     /* participants asked for one request */
	LINES_MAX = 1 << 18, /* bytes that one exo may say */
	ANSWER_MAX = 1 << 23,
	LATE_S = 3,
	WAIT_STATUS_MS = 500,
	WAIT_MAX_MS = 10000,
	KILL_MAX_S = 86400,
};

struct part { /* what one participant has to say */
	struct enquiry *q;
	char *participant; /* owned */
	struct control *call;
	struct sn_buf items, lines;
	const char *error; /* NULL: code counts */
	int code;
};

struct enquiry {
	TAILQ_ENTRY(enquiry) link;
	struct air *a;
	char wfid[AIR_WFID_SIZE], reply_to[AIR_KEY_SIZE];
	char *msgid;	 /* raw JSON, a string */
	double deadline; /* 0: none */
	bool cancel;
	long wait_ms, kill_s; /* kill_s < 0: not asked for */
	struct part *parts;
	size_t count, pending;
};

/* ---- taking it apart --------------------------------------------------- */

static double number_of(const cJSON *object, const char *key, double fallback, double max)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, key);
	double n = cJSON_IsNumber(v) ? v->valuedouble : fallback;

	return isfinite(n) && n >= 0 ? (n < max ? n : max) : fallback;
}

static const char *parse_verb(struct enquiry *q, struct sn_span args, struct sn_span kwargs)
{
	cJSON *list = args.data != NULL ? cJSON_ParseWithLength(args.data, args.len) : NULL;
	cJSON *options = kwargs.data != NULL ? cJSON_ParseWithLength(kwargs.data, kwargs.len) : NULL;
	const cJSON *verb = cJSON_GetArrayItem(list, 0);
	const char *why = NULL;
	double kill;

	if (!cJSON_IsArray(list) || !cJSON_IsString(verb))
		why = "no verb";
	else if (strcmp(verb->valuestring, "status") != 0 && strcmp(verb->valuestring, "cancel") != 0)
		why = "an unknown verb";
	else
		q->cancel = verb->valuestring[0] == 'c';
	q->wait_ms = (long)number_of(options, "wait", q->cancel ? 0 : WAIT_STATUS_MS, WAIT_MAX_MS);
	kill = number_of(options, "kill", -1, KILL_MAX_S);
	q->kill_s = (long)kill + ((double)(long)kill < kill); /* exo counts whole ones */
	cJSON_Delete(list);
	cJSON_Delete(options);
	return why;
}

/* NULL, or why it is no request. */
static const char *parse(struct enquiry *q, const struct sn_buf *body)
{
	static const char *const KEYS[] = {"msgID", "args", "kwargs", "deadline"};
	char digits[64] = "";
	struct sn_span v[4];

	if (body->len == 0 || sn_json_object(body->data, body->len, KEYS, v, 4) < 0)
		return "no JSON object";
	if (v[0].data == NULL || v[0].data[0] != '"' || v[0].len > MSGID_MAX)
		return "no msgID";
	if (v[3].data != NULL && v[3].len < sizeof digits && v[3].data[0] >= '0' && v[3].data[0] <= '9') {
		memcpy(digits, v[3].data, v[3].len);
		q->deadline = strtod(digits, NULL);
	} else if (v[3].data != NULL && v[3].data[0] != 'n') {
		return "the deadline is no number";
	}
	q->msgid = sn_strndup(v[0].data, v[0].len);
	return parse_verb(q, v[1], v[2]);
}

static bool is_late(const struct enquiry *q)
{
	return q->deadline > 0 && (double)sn_clock_real_us() / 1e6 > q->deadline + LATE_S;
}

/* ---- the end ----------------------------------------------------------- */

static void release(struct enquiry *q)
{
	for (size_t i = 0; i < q->count; i++) {
		struct part *p = &q->parts[i];

		control_abort(p->call);
		sn_buf_release(&p->items);
		sn_buf_release(&p->lines);
		free(p->participant);
	}
	free(q->parts);
	free(q->msgid);
	free(q);
}

static int add_part(struct sn_buf *out, const struct part *p, bool first)
{
	int r = sn_buf_addf(out, "%s\"%s\":{\"workitems\":[", first ? "" : ",", p->participant);

	if (r == 0 && p->items.len > 0)
		r = sn_buf_add(out, p->items.data, p->items.len);
	if (r == 0)
		r = sn_buf_adds(out, "],\"lines\":[");
	if (r == 0 && p->lines.len > 0)
		r = sn_buf_add(out, p->lines.data, p->lines.len);
	if (r == 0)
		r = p->error != NULL ? sn_buf_addf(out, "],\"error\":\"%s\"}", p->error)
				     : sn_buf_addf(out, "],\"code\":%d}", p->code);
	return r;
}

static int make_answer(const struct enquiry *q, struct sn_buf *out)
{
	int r = sn_buf_addf(out, "{\"msgID\":%s,\"return\":{\"host\":", q->msgid);

	if (r == 0)
		r = sn_buf_add_json(out, q->a->hostname, strlen(q->a->hostname));
	if (r == 0)
		r = sn_buf_addf(out, ",\"wfid\":\"%s\",\"verb\":\"%s\",\"participants\":{", q->wfid,
				q->cancel ? "cancel" : "status");
	for (size_t i = 0; i < q->count && r == 0; i++)
		r = add_part(out, &q->parts[i], i == 0);
	return r == 0 ? sn_buf_adds(out, "}}}") : r;
}

static void publish(const struct enquiry *q, const struct sn_buf *answer)
{
	struct air *a = q->a;
	const amqp_basic_properties_t props = {._flags = AMQP_BASIC_CONTENT_TYPE_FLAG,
					       .content_type = amqp_cstring_bytes("application/json")};
	const amqp_bytes_t body = {.len = answer->len, .bytes = answer->data};
	int r = amqp_basic_publish(a->link.conn, AIR_CHANNEL, amqp_cstring_bytes("AIR-response"),
				   amqp_cstring_bytes(q->reply_to), 0, 0, &props, body);

	if (r != AMQP_STATUS_OK) {
		air_lost(a, amqp_error_string2(r));
		return;
	}
	a->now.answered++;
	air_touch(a);
}

static void finish(struct enquiry *q)
{
	struct air *a = q->a;
	struct sn_buf answer = SN_BUF(ANSWER_MAX);

	TAILQ_REMOVE(&a->enquiries, q, link);
	a->enquiry_count--;
	if (is_late(q)) {
		a->now.expired++;
		air_touch(a);
	} else if (a->blocked) {
		air_drop(a, "the broker blocks publishers");
	} else if (make_answer(q, &answer) < 0) {
		air_drop(a, "the answer is larger than 8 MiB");
	} else {
		publish(q, &answer);
	}
	sn_buf_release(&answer);
	release(q);
}

void request_abort_all(struct air *a)
{
	struct enquiry_list all = TAILQ_HEAD_INITIALIZER(all);
	struct enquiry *q, *next;

	TAILQ_CONCAT(&all, &a->enquiries, link);
	a->enquiry_count = 0;
	for (q = TAILQ_FIRST(&all); q != NULL; q = next) {
		next = TAILQ_NEXT(q, link);
		release(q);
	}
}

/* ---- what exo says ----------------------------------------------------- */

static const char *explain(int error)
{
	switch (error) {
	case -ETIMEDOUT:
	case -EAGAIN:
		return "exo does not answer";
	case -ENOENT:
	case -ECONNREFUSED:
		return "no exo runs";
	case -EPERM:
		return "the control socket is not the participant's";
	case -EFBIG:
		return "exo says too much";
	case -ECONNRESET:
		return "exo stopped in the middle of its answer";
	case -EPROTO:
		return "exo answers what cannot be understood";
	default:
		return "exo cannot be reached";
	}
}

/* Whole lines, each seen to be a JSON object: with commas they are a list. */
static void on_answer(void *arg, int error, int code, const struct sn_buf *text)
{
	struct part *p = arg;
	struct enquiry *q = p->q;

	p->call = NULL;
	p->error = error < 0 ? explain(error) : NULL;
	p->code = code;
	if (text->len > 0 && sn_buf_add(&p->lines, text->data, text->len - 1) < 0)
		p->error = explain(-EFBIG);
	for (size_t i = 0; i < p->lines.len; i++) {
		if (p->lines.data[i] == '\n')
			p->lines.data[i] = ',';
	}
	if (--q->pending == 0)
		finish(q);
}

static void ask(struct part *p, uid_t uid)
{
	struct enquiry *q = p->q;
	char line[512], kill_option[32] = "";
	const struct control_request rq = {.run = q->a->b->rundirs,
					   .participant = p->participant,
					   .uid = uid,
					   .line = line,
					   .limit_s = (double)q->wait_ms / 1000. + 1.,
					   .max_bytes = LINES_MAX,
					   .done = on_answer,
					   .arg = p};
	int r;

	if (q->cancel && q->kill_s >= 0)
		(void)snprintf(kill_option, sizeof kill_option, " kill=%ld", q->kill_s);
	(void)snprintf(line, sizeof line, "%s %s wait=%ld%s\n", q->cancel ? "cancel" : "status", q->wfid,
		       q->wait_ms, kill_option); /* all bounded */
	r = control_start(q->a->loop, &rq, &p->call);
	if (r == 0)
		q->pending++;
	else
		p->error = explain(r);
}

/* ---- what the bridge knows --------------------------------------------- */

/* By name, from the spool itself: it is opened for this, so that nothing is shared with the main thread. */
static const char *state_of(const struct sn_spool *s, const struct air_open *o)
{
	static const char *const STATES[] = {[SN_NOWHERE] = "unknown",
					     [SN_HELD] = "held",
					     [SN_WAITING] = "waiting",
					     [SN_IN_HAND] = "running"};

	if (s == NULL)
		return "unknown";
	return sn_cancel_marked(s, o->name) ? "cancelled" : STATES[sn_recover_find(s, o->name)];
}

static int add_item(struct sn_buf *out, const struct air_open *o, const char *state)
{
	char since[SN_TIME_TEXT_SIZE];
	int r = sn_buf_addf(out, "%s{\"name\":\"%s\",\"expid\":", out->len > 0 ? "," : "", o->name);

	sn_time_format(sn_name_time_us(o->name), since);
	if (r == 0)
		r = sn_buf_add_json(out, o->expid, strlen(o->expid));
	return r == 0 ? sn_buf_addf(out, ",\"since\":\"%s\",\"state\":\"%s\"}", since, state) : r;
}

static void look(struct part *p, const struct air_wfid *w)
{
	struct sn_spool spool;
	const bool opened = sn_spool_open(&spool, p->q->a->b->spooldir, p->participant, SN_SPOOL_BRIDGE) == 0;
	const struct air_open *o;
	unsigned shown = 0;

	STAILQ_FOREACH(o, &w->items, link)
	{
		if (strcmp(o->participant, p->participant) != 0 || shown++ >= ITEMS_MAX)
			continue;
		if (add_item(&p->items, o, state_of(opened ? &spool : NULL, o)) < 0)
			break;
	}
	if (opened)
		sn_spool_release(&spool);
}

/* ---- a request --------------------------------------------------------- */

static struct part *part_of(struct enquiry *q, const char *participant)
{
	for (size_t i = 0; i < q->count; i++) {
		if (strcmp(q->parts[i].participant, participant) == 0)
			return &q->parts[i];
	}
	if (q->count == PARTS_MAX)
		return NULL;
	q->parts[q->count] = (struct part){.q = q,
					   .participant = sn_strdup(participant),
					   .items = SN_BUF(1 << 17),
					   .lines = SN_BUF(LINES_MAX)};
	return &q->parts[q->count++];
}

/* "W": all participants; "P.W": that one. */
static bool concerns(const struct air_wfid *w, const struct air_open *o)
{
	const size_t len = strlen(o->participant);

	return strcmp(w->key, w->wfid) == 0 || (strncmp(w->key, o->participant, len) == 0 &&
						w->key[len] == '.' && strcmp(w->key + len + 1, w->wfid) == 0);
}

static void carry_out(struct enquiry *q, const struct air_wfid *w)
{
	struct air *a = q->a;
	const struct air_open *o;

	q->parts = sn_calloc(PARTS_MAX, sizeof *q->parts);
	q->pending = 1; /* until all are asked */
	TAILQ_INSERT_TAIL(&a->enquiries, q, link);
	a->enquiry_count++;
	STAILQ_FOREACH(o, &w->items, link)
	{
		const size_t before = q->count;
		struct part *p = concerns(w, o) ? part_of(q, o->participant) : NULL;

		if (p == NULL || q->count == before)
			continue;
		look(p, w);
		ask(p, o->uid);
	}
	if (--q->pending == 0)
		finish(q);
}

void request_take(struct air *a, struct air_wfid *w)
{
	struct enquiry *q;
	const char *why;

	if (w->reply_to[0] == '\0') {
		air_drop(a, "no reply_to");
		return;
	}
	if (a->enquiry_count >= AIR_ENQUIRIES_MAX) {
		air_drop(a, "too many at once");
		return;
	}
	q = sn_calloc(1, sizeof *q);
	q->a = a;
	memcpy(q->wfid, w->wfid, sizeof q->wfid);
	memcpy(q->reply_to, w->reply_to, sizeof q->reply_to);
	why = parse(q, &w->body);
	if (why != NULL || is_late(q)) {
		if (why != NULL)
			air_drop(a, why);
		else
			a->now.expired++;
		air_touch(a);
		release(q);
		return;
	}
	carry_out(q, w);
}
