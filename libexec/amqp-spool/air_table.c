/* Open WFIDs, each with a channel of its own on the AIR connection. Requests are sent without waiting: a queue without a name
 * means the last one declared on the channel, so that its name need not be known. */
#include <stdlib.h>

#include "air_private.h"

enum { REOPEN_S = 30, OPENING_MAX = 64 };

/* ---- channels ---------------------------------------------------------- */

static bool bind(struct air *a, const struct air_wfid *w, const char *key)
{
	amqp_queue_bind_t m = {.exchange = amqp_cstring_bytes("AIR-request"),
			       .routing_key = amqp_cstring_bytes(key),
			       .nowait = 1};

	return reader_send(&a->link, w->channel, AMQP_QUEUE_BIND_METHOD, &m);
}

/* "P.W". */
static void service_name(const char *participant, const char *wfid, char key[AIR_KEY_SIZE])
{
	(void)snprintf(key, AIR_KEY_SIZE, "%s.%s", participant, wfid); /* fits: 64 + 1 + 128 */
}

static bool bind_participant(struct air *a, const struct air_wfid *w, const char *participant)
{
	char key[AIR_KEY_SIZE];

	service_name(participant, w->wfid, key);
	return bind(a, w, key);
}

static void unbind_participant(struct air *a, const struct air_wfid *w, const char *participant)
{
	char key[AIR_KEY_SIZE];
	amqp_queue_unbind_t m = {.exchange = amqp_cstring_bytes("AIR-request")};

	service_name(participant, w->wfid, key);
	m.routing_key = amqp_cstring_bytes(key);
	(void)reader_send(&a->link, w->channel, AMQP_QUEUE_UNBIND_METHOD,
			  &m); /* a failure ends the connection */
}

static const struct air_open *first_of(const struct air_wfid *w, const char *participant)
{
	const struct air_open *o;

	STAILQ_FOREACH(o, &w->items, link)
	{
		if (strcmp(o->participant, participant) == 0)
			return o;
	}
	return NULL;
}

/* A number that is neither in use nor being closed; 0: none. */
static uint16_t free_channel(const struct air *a)
{
	for (size_t n = AIR_CHANNEL + 1; n < a->channel_count; n++) {
		if (a->channels[n] == NULL && !a->closing[n])
			return (uint16_t)n;
	}
	return 0;
}

static void open_channel(struct air *a, struct air_wfid *w, uint16_t n)
{
	amqp_channel_open_t open = {.out_of_band = amqp_empty_bytes};
	amqp_queue_declare_t declare = {.queue = amqp_empty_bytes, .exclusive = 1, .auto_delete = 1};
	amqp_basic_consume_t consume = {
		.queue = amqp_empty_bytes, .consumer_tag = amqp_cstring_bytes("air"), .no_ack = 1};
	const struct air_open *o;
	bool ok;

	w->channel = n;
	w->state = WFID_OPENING;
	a->channels[n] = w;
	ok = reader_send(&a->link, n, AMQP_CHANNEL_OPEN_METHOD, &open) &&
	     reader_send(&a->link, n, AMQP_QUEUE_DECLARE_METHOD, &declare) && bind(a, w, w->wfid);
	STAILQ_FOREACH(o, &w->items, link)
	{
		if (ok && first_of(w, o->participant) == o)
			ok = bind_participant(a, w, o->participant);
	}
	if (ok)
		(void)reader_send(&a->link, n, AMQP_BASIC_CONSUME_METHOD, &consume);
}

static void close_channel(struct air *a, struct air_wfid *w)
{
	amqp_channel_close_t m = {.reply_code = 200, .reply_text = amqp_cstring_bytes("bye")};
	const uint16_t n = w->channel;

	a->channels[n] = NULL;
	a->closing[n] = true;
	w->channel = 0;
	w->in_message = false;
	(void)reader_send(&a->link, n, AMQP_CHANNEL_CLOSE_METHOD, &m);
}

void table_fill(struct air *a)
{
	const int64_t now = sn_clock_mono_ns();
	struct air_wfid *w, *next;
	size_t opening = 0;

	for (size_t n = AIR_CHANNEL + 1; n < a->channel_count; n++)
		opening += a->channels[n] != NULL && a->channels[n]->state == WFID_OPENING;
	/* A few at a time: the broker is to be read while it works on them. */
	for (w = TAILQ_FIRST(&a->waiting); a->link.conn != NULL && opening < OPENING_MAX && w != NULL;
	     w = next) {
		const uint16_t n = free_channel(a);

		next = TAILQ_NEXT(w, link);
		if (n == 0)
			return;
		if (w->not_before_ns > now)
			continue;
		TAILQ_REMOVE(&a->waiting, w, link);
		open_channel(a, w, n);
		opening++;
	}
}

static void wait_again(struct air *a, struct air_wfid *w)
{
	w->state = WFID_WAITING;
	w->channel = 0;
	w->in_message = false;
	sn_buf_release(&w->body);
	TAILQ_INSERT_TAIL(&a->waiting, w, link);
}

void table_reset(struct air *a)
{
	struct air_wfid *w, *next;

	HASH_ITER(hh, a->wfids, w, next)
	{
		if (w->state != WFID_WAITING)
			wait_again(a, w);
		w->not_before_ns = 0;
	}
	free(a->channels);
	free(a->closing);
	a->channels = NULL;
	a->closing = NULL;
	a->channel_count = 0;
	if (a->link.conn == NULL)
		return;
	a->channel_count = AIR_CHANNEL + 1 + (size_t)a->limit;
	a->channels = sn_calloc(a->channel_count, sizeof(struct air_wfid *));
	a->closing = sn_calloc(a->channel_count, sizeof *a->closing);
}

/* ---- workitems --------------------------------------------------------- */

static void free_open(struct air_open *o)
{
	free(o->expid);
	free(o);
}

static struct air_wfid *add_wfid(struct air *a, const char *wfid)
{
	struct air_wfid *w = sn_calloc(1, sizeof *w);

	(void)snprintf(w->wfid, sizeof w->wfid, "%s", wfid);
	STAILQ_INIT(&w->items);
	w->body = SN_BUF(AIR_REQUEST_MAX);
	HASH_ADD_STR(a->wfids, wfid, w);
	TAILQ_INSERT_TAIL(&a->waiting, w, link);
	air_touch(a);
	return w;
}

static void remove_wfid(struct air *a, struct air_wfid *w)
{
	if (w->state != WFID_WAITING)
		close_channel(a, w);
	if (w->state == WFID_WAITING) /* it was, or that has lost the connection */
		TAILQ_REMOVE(&a->waiting, w, link);
	HASH_DEL(a->wfids, w);
	sn_buf_release(&w->body);
	free(w);
	air_touch(a);
}

static void close_item(struct air *a, const struct air_open *o)
{
	struct air_wfid *w;
	struct air_open *it;

	HASH_FIND_STR(a->wfids, o->wfid, w);
	if (w == NULL)
		return;
	STAILQ_FOREACH(it, &w->items, link)
	{
		if (strcmp(it->name, o->name) == 0 && strcmp(it->participant, o->participant) == 0)
			break;
	}
	if (it == NULL)
		return;
	STAILQ_REMOVE(&w->items, it, air_open, link);
	free_open(it);
	if (STAILQ_EMPTY(&w->items))
		remove_wfid(a, w);
	else if (w->channel != 0 && first_of(w, o->participant) == NULL)
		unbind_participant(a, w, o->participant);
}

static void open_item(struct air *a, struct air_open *o)
{
	struct air_wfid *w;
	bool known;

	HASH_FIND_STR(a->wfids, o->wfid, w);
	if (w == NULL)
		w = add_wfid(a, o->wfid);
	known = first_of(w, o->participant) != NULL;
	STAILQ_INSERT_TAIL(&w->items, o, link);
	if (w->channel != 0 && !known)
		(void)bind_participant(a, w, o->participant); /* a failure ends the connection */
}

void table_command(struct air *a, struct air_open *o)
{
	if (!o->close) {
		open_item(a, o);
		return;
	}
	close_item(a, o);
	free_open(o);
}

/* ---- frames of a channel ----------------------------------------------- */

static void copy_bytes(char out[AIR_KEY_SIZE], amqp_bytes_t b)
{
	const size_t len = b.len < AIR_KEY_SIZE ? b.len : 0; /* a short string always fits */

	memcpy(out, b.bytes != NULL ? b.bytes : "", b.bytes != NULL ? len : 0);
	out[b.bytes != NULL ? len : 0] = '\0';
}

static void end_message(struct air *a, struct air_wfid *w)
{
	w->in_message = false;
	if (w->oversized)
		air_drop(a, "over 64 KiB");
	else
		request_take(a, w);
	sn_buf_reset(&w->body);
}

static void content(struct air *a, struct air_wfid *w, const amqp_frame_t *f)
{
	if (!w->in_message)
		return;
	if (f->frame_type == AMQP_FRAME_HEADER) {
		const amqp_basic_properties_t *props = f->payload.properties.decoded;

		w->size = f->payload.properties.body_size;
		w->seen = 0;
		w->oversized = w->size > AIR_REQUEST_MAX;
		w->reply_to[0] = '\0';
		if ((props->_flags & AMQP_BASIC_REPLY_TO_FLAG) != 0)
			copy_bytes(w->reply_to, props->reply_to);
	} else if (f->frame_type == AMQP_FRAME_BODY) {
		w->seen += f->payload.body_fragment.len;
		if (!w->oversized &&
		    sn_buf_add(&w->body, f->payload.body_fragment.bytes, f->payload.body_fragment.len) < 0)
			w->oversized = true;
	}
	if (w->seen >= w->size)
		end_message(a, w);
}

/* The broker closes the channel, or has deleted the queue: again after a while. */
static void refused(struct air *a, struct air_wfid *w, const amqp_method_t *m)
{
	amqp_channel_close_ok_t ok = {0};
	char why[LINK_WHY_SIZE] = "its queue was deleted";

	if (m->id == AMQP_CHANNEL_CLOSE_METHOD) {
		const amqp_channel_close_t *c = m->decoded;

		link_reason(m, why);
		if (c->reply_code == AMQP_NOT_FOUND) { /* the exchange, and with it the bindings of all */
			air_lost(a, why);
			return;
		}
		a->channels[w->channel] = NULL;
		if (!reader_send(&a->link, w->channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &ok))
			return;
	} else {
		close_channel(a, w);
		if (a->link.conn == NULL)
			return;
	}
	sn_warn("AIR: wfid=%s: %s; tried again in %d s", w->wfid, why, REOPEN_S);
	wait_again(a, w);
	w->not_before_ns = sn_clock_mono_ns() + (int64_t)REOPEN_S * 1000000000;
	air_touch(a);
	if (!ev_is_active(&a->reopen)) {
		ev_timer_set(&a->reopen, REOPEN_S + 1, 0.);
		ev_timer_start(a->loop, &a->reopen);
	}
}

static void method(struct air *a, struct air_wfid *w, const amqp_method_t *m)
{
	const amqp_basic_deliver_t *d;

	switch (m->id) {
	case AMQP_BASIC_DELIVER_METHOD:
		d = m->decoded;
		copy_bytes(w->key, d->routing_key);
		w->in_message = true;
		w->size = w->seen = 0;
		sn_buf_reset(&w->body);
		break;
	case AMQP_BASIC_CONSUME_OK_METHOD:
		w->state = WFID_OPEN;
		air_touch(a);
		table_fill(a);
		break;
	case AMQP_CHANNEL_CLOSE_METHOD:
	case AMQP_BASIC_CANCEL_METHOD:
		refused(a, w, m);
		break;
	default:
		break;
	}
}

void table_frame(struct air *a, const amqp_frame_t *f)
{
	struct air_wfid *w = f->channel < a->channel_count ? a->channels[f->channel] : NULL;

	if (f->channel >= a->channel_count)
		return;
	if (w == NULL) {
		/* Of a channel that is closing: the number is free when the broker has closed it, too. */
		if (f->frame_type == AMQP_FRAME_METHOD &&
		    f->payload.method.id == AMQP_CHANNEL_CLOSE_OK_METHOD) {
			a->closing[f->channel] = false;
			table_fill(a);
		}
		return;
	}
	if (f->frame_type == AMQP_FRAME_METHOD)
		method(a, w, &f->payload.method);
	else
		content(a, w, f);
}
