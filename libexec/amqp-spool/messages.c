/* What participants send on the way: records with a number, in order and before the answer (docs/SPOOL.md, section 3). What the
 * broker does not have yet is known by its place in its journal, which stays as long. */
#include <fcntl.h>
#include <stdlib.h>

#include "bridge.h"
#include "data/json.h"
#include "data/workitem.h"
#include "gone.h"
#include "publisher.h"
#include "spool/retire.h"
#include "sys/dir.h"

enum { PER_TURN = 256, KNOWN_MAX = 16384 }; /* known at a time, of one participant: it reads no further */

static void format_leaf(const struct item *it, unsigned number, char ret_leaf[SN_ATTEMPT_SIZE])
{
	(void)snprintf(ret_leaf, SN_ATTEMPT_SIZE, "%s.m%04u", it->name, number); /* fits */
}

static void set_talk(struct item *it, enum talk talk)
{
	struct bridge *b = it->p->b;

	if (it->talk != TALK_NOT)
		TAILQ_REMOVE(it->talk == TALK_NOW ? &b->talking : &b->muted, it, talk_link);
	if (talk != TALK_NOT)
		TAILQ_INSERT_TAIL(talk == TALK_NOW ? &b->talking : &b->muted, it, talk_link);
	it->talk = talk;
}

/* Nothing of it goes out before that time, or a later one would overtake. */
static void mute(struct item *it)
{
	if (it->talk == TALK_LATER)
		return;
	it->talk_at_ns = sn_clock_mono_ns() + (int64_t)results_backoff_s(++it->talk_returns) * 1000000000;
	set_talk(it, TALK_LATER);
	item_retry(it->p->b);
}

static void remove_message(struct item *it, struct message *m)
{
	struct participant *p = it->p;

	STAILQ_REMOVE(&it->messages, m, message, link); /* mostly the first */
	journals_release(m->journal);
	free(m);
	if (--p->message_count <= KNOWN_MAX / 2 && p->blocked) {
		p->blocked = false;
		ev_async_send(p->b->loop, &p->b->wake);
	}
}

/* Was that all? Then the reply can go. */
static void end_message(struct item *it, struct message *m)
{
	remove_message(it, m);
	if (STAILQ_EMPTY(&it->messages) && it->state == ITEM_WAITING)
		item_set_state(it, ITEM_READY);
}

void messages_forget(struct item *it)
{
	struct message *m;

	set_talk(it, TALK_NOT);
	while ((m = STAILQ_FIRST(&it->messages)) != NULL) {
		char leaf[SN_ATTEMPT_SIZE];

		format_leaf(it, m->number, leaf);
		if (m->out)
			gone_detach(it, leaf, &(struct sn_buf){0}); /* the job has a text of its own */
		remove_message(it, m);
	}
}

/* ---- seen in a journal ------------------------------------------------- */

static bool was_sent(struct item *it, const char *leaf)
{
	int dir = sn_spool_done_dir(&it->p->spool, it->name);

	return dir >= 0 && faccessat(dir, leaf, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool message_record(struct journal *j, struct item *it, const struct sn_record *rec)
{
	struct participant *p = j->p;
	const unsigned number = rec->head.message;
	char leaf[SN_ATTEMPT_SIZE];
	struct message *m;

	if (it == NULL) {
		if (sn_retired(&p->spool, rec->head.name) != 1)
			sn_warn("participant=%s name=%s.m%04u: message dropped: no open workitem", p->name,
				rec->head.name, number);
		return true;
	}
	if (number <= it->last_message) /* of a former attempt, or seen before */
		return true;
	if (p->message_count >= KNOWN_MAX)
		return false;
	it->last_message = number;
	format_leaf(it, number, leaf);
	if (was_sent(it, leaf))
		return true;
	m = sn_calloc(1, sizeof *m);
	m->journal = j;
	m->at = rec->at;
	m->number = number;
	m->out = gone_is_out(p->b, p->name, leaf);
	j->pending++;
	p->message_count++;
	STAILQ_INSERT_TAIL(&it->messages, m, link);
	if (it->talk == TALK_NOT)
		set_talk(it, TALK_NOW);
	return true;
}

/* ---- to the publisher -------------------------------------------------- */

static int read_text(struct item *it, const struct message *m, struct sn_result_file *ret)
{
	struct sn_records r = {.fd = m->journal->fd, .at = m->at, .buf = it->p->b->records};
	struct sn_record rec;
	int e = item_learn(it);

	if (e < 0)
		return e;
	e = sn_records_next(&r, &rec);
	if (e == 0 || (e == 1 && (rec.head.message != m->number || strcmp(rec.head.name, it->name) != 0)))
		return -EBADMSG; /* it was changed since */
	return e < 0 ? e : sn_result_read(m->journal->fd, &rec, ret);
}

static bool in_order(struct item *it, const struct sn_result_file *f, const char **ret_why)
{
	static const char *const KEYS[] = {"fei", "fields", "definition"};
	const char *body = f->text.data + f->body_at;
	struct sn_span v[3];

	*ret_why = "the message says neither message nor launch";
	if (f->head.send == SN_SEND_MESSAGE)
		return sn_workitem_check_reply((struct sn_span){it->fei, it->fei_len}, body, f->head.length,
					       ret_why) == 0;
	if (f->head.send != SN_SEND_LAUNCH)
		return false;
	*ret_why = "not a launch item";
	return sn_json_object(body, f->head.length, KEYS, v, 3) == 0 && v[2].data != NULL &&
	       !(v[0].data != NULL && v[1].data != NULL);
}

/* The copy says, too, that it was sent. */
static void keep(struct item *it, const char *leaf, const char *text, size_t len)
{
	int dir = sn_spool_done_dir(&it->p->spool, it->name);
	int r = dir < 0 ? dir : sn_dir_create(dir, leaf, text, len);

	if (r >= 0 || r == -EEXIST)
		return;
	sn_warn("participant=%s name=%s: cannot keep a copy: %s", it->p->name, leaf, strerror(-r));
	if (!bridge_brokerless(it->p->b))
		gone_remember(it, leaf);
}

/* False: the publisher takes no more now. */
static bool submit(struct item *it, struct message *m, const struct sn_result_file *f)
{
	struct bridge *b = it->p->b;
	const char *body = f->text.data + f->body_at;
	char leaf[SN_ATTEMPT_SIZE];
	struct job *j;

	format_leaf(it, m->number, leaf);
	if (b->publisher == NULL) {
		keep(it, leaf, body, f->head.length);
		end_message(it, m);
		return true;
	}
	j = job_make(it->p, leaf);
	j->body = memcpy(sn_malloc(f->head.length + 1), body, f->head.length);
	j->len = f->head.length;
	j->own_body = true;
	m->out = publisher_submit(b->publisher, j);
	if (!m->out)
		job_free(j);
	return m->out;
}

static bool is_final(int error)
{
	return error == -EBADMSG || error == -EINVAL || error == -EFBIG || error == -ENOENT;
}

/* False: not now. */
static bool send_one(struct item *it, struct message *m)
{
	struct sn_result_file f = {.text = SN_BUF(it->p->config.participant.max_size_bytes + 65536)};
	const char *why = NULL;
	bool taken = true;
	int r = read_text(it, m, &f);

	if (r == 0 && in_order(it, &f, &why)) {
		taken = submit(it, m, &f);
	} else if (r == 0 || is_final(r)) {
		sn_warn("participant=%s name=%s.m%04u: message dropped: %s", it->p->name, it->name, m->number,
			r < 0 ? strerror(-r) : why);
		end_message(it, m);
	} else { /* the disk, or no memory */
		sn_err("participant=%s name=%s.m%04u: cannot be read, tried again later: %s", it->p->name,
		       it->name, m->number, strerror(-r));
		mute(it);
	}
	sn_result_release(&f);
	return taken;
}

void messages_pump(struct bridge *b)
{
	unsigned budget = PER_TURN;
	struct item *it;

	while ((it = TAILQ_FIRST(&b->talking)) != NULL) {
		struct message *m, *next;

		for (m = STAILQ_FIRST(&it->messages); m != NULL && it->talk == TALK_NOW; m = next) {
			next = STAILQ_NEXT(m, link);
			if (m->out)
				continue;
			if (b->publisher != NULL && !publisher_ready(b->publisher))
				return; /* the next wake comes from it */
			if (budget-- == 0) {
				ev_async_send(b->loop, &b->wake); /* the rest in the next turn */
				return;
			}
			if (!send_one(it, m))
				return;
		}
		if (it->talk == TALK_NOW)
			set_talk(it, TALK_NOT);
	}
}

void messages_retry(struct bridge *b)
{
	const int64_t now = sn_clock_mono_ns();
	struct item *it, *next;

	for (it = TAILQ_FIRST(&b->muted); it != NULL; it = next) {
		next = TAILQ_NEXT(it, talk_link);
		if (it->talk_at_ns <= now)
			set_talk(it, TALK_NOW);
	}
}

/* ---- what comes back from it ------------------------------------------- */

/* The text of one that a bridge before us sent is in the journal, if it was read already. */
static void keep_sent(struct item *it, const struct message *m, const struct job *j)
{
	struct sn_result_file f = {.text = SN_BUF(it->p->config.participant.max_size_bytes + 65536)};

	if (j->body != NULL)
		keep(it, j->leaf, j->body, j->len);
	else if (m != NULL && read_text(it, m, &f) == 0)
		keep(it, j->leaf, f.text.data + f.body_at, f.head.length);
	else
		keep(it, j->leaf, "", 0);
	sn_result_release(&f);
}

void message_done(struct item *it, const struct job *j, unsigned number)
{
	struct message *m;

	STAILQ_FOREACH(m, &it->messages, link)
	{
		if (m->number == number)
			break;
	}
	if (j->outcome != JOB_RETURNED) {
		keep_sent(it, m, j);
		it->talk_returns = 0;
		if (m != NULL)
			end_message(it, m);
	} else if (m != NULL) {
		m->out = false;
		mute(it);
		if (it->talk_returns == 1)
			sn_warn("participant=%s name=%s: there is no queue %s; the message is kept and sent again",
				it->p->name, j->leaf, j->queue);
	}
}
