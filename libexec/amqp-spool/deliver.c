/* deliver.1 and deliver.2: a message of the broker becomes a file. */
#include <stdlib.h>
#include <sys/statvfs.h>

#include "bridge.h"
#include "cancel.h"
#include "consumer.h"
#include "data/digest.h"
#include "data/workitem.h"
#include "spool/deliver.h"
#include "sys/dir.h"

/* ---- redeliveries ------------------------------------------------------ */

void recent_add(struct participant *p, const char *name)
{
	if (p->recent == NULL)
		p->recent = sn_malloc(RECENT_MAX * sizeof *p->recent);
	memcpy(p->recent[p->recent_next].prefix, name, SN_NAME_FIXED);
	p->recent[p->recent_next].prefix[SN_NAME_FIXED] = '\0';
	p->recent_next = (p->recent_next + 1) % RECENT_MAX;
	if (p->recent_count < RECENT_MAX)
		p->recent_count++;
}

static bool same_bytes(int dirfd, const char *leaf, const struct sn_buf *body)
{
	struct sn_buf b = SN_BUF(body->len + 1);
	bool same = sn_dir_read(dirfd, leaf, &b) == 0 && b.len == body->len && b.data != NULL &&
		    body->data != NULL && memcmp(b.data, body->data, b.len) == 0;

	sn_buf_release(&b);
	return same;
}

/* An open workitem of the same bytes that no delivery of this channel belongs to yet. */
static struct item *find_open(struct participant *p, uint64_t digest)
{
	struct item *it, *next;

	HASH_ITER(hh, p->items, it, next)
	{
		if (it->epoch != p->ch.epoch && sn_name_digest(it->name) == digest &&
		    same_bytes(p->spool.open, it->name, &p->ch.body))
			return it;
	}
	return NULL;
}

/* Is it one of those that were finished a moment ago? Their label comes from the same wfid. */
static bool find_recent(struct participant *p, uint64_t digest, const char *name)
{
	char leaf[SN_NAME_SIZE + 32], date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE];

	for (unsigned i = 0; i < p->recent_count; i++) {
		const char *prefix = p->recent[i].prefix;
		char full[SN_NAME_SIZE];

		(void)snprintf(full, sizeof full, "%s%s", prefix,
			       name + SN_NAME_FIXED); /* fits: a name's parts */
		if (!sn_name_valid(full) || sn_name_digest(full) != digest)
			continue;
		sn_name_bucket(full, date, bucket);
		(void)snprintf(leaf, sizeof leaf, "%s.json", full);
		for (int failed = 0; failed < 2; failed++) {
			SN_AUTOFD int day = sn_dir_open(failed ? p->spool.failed : p->spool.done, date);
			SN_AUTOFD int dir = day < 0 ? -1 : sn_dir_open(day, bucket);

			if (dir >= 0 && same_bytes(dir, leaf, &p->ch.body))
				return true;
		}
	}
	return false;
}

static enum delivered join(struct item *it)
{
	struct participant *p = it->p;

	sn_info("participant=%s name=%s: the broker sent it again, one file serves both", p->name, it->name);
	it->tag = p->ch.tag;
	it->epoch = p->ch.epoch;
	if (it->synced || it->state == ITEM_RETIRING)
		return DELIVERED_ACK;
	item_set_unsynced(it, true);
	sync_arm(p->b);
	return DELIVERED_KEEP;
}

/* ---- what cannot be stored ---------------------------------------------- */

static bool is_room(int error)
{
	return error == -ENOSPC || error == -EDQUOT;
}

const char *bridge_full_reason(const struct bridge *b)
{
	return b->store_error == 0 || is_room(b->store_error) ? "no room in the spool"
							      : strerror(-b->store_error);
}

enum delivered deliver_failed(struct participant *p, const char *name, int error)
{
	sn_err("participant=%s name=%s: cannot store: %s", p->name, name, strerror(-error));
	if (error == -ENOENT)
		participant_lost(p); /* that concerns nobody else */
	else
		p->b->store_error = error;
	return DELIVERED_NO_ROOM;
}

/* ---- what is no workitem ----------------------------------------------- */

static enum delivered put_aside(struct participant *p, char name[SN_NAME_SIZE], const char *why)
{
	int dir = sn_spool_failed_dir(&p->spool, name);
	int r;

	do {
		r = dir < 0 ? dir : sn_deliver_aside(dir, name, ".json", p->ch.body.data, p->ch.body.len);
	} while (r == -EEXIST && sn_name_next_seq(name) == 0);
	if (r == 0)
		r = sn_deliver_aside(dir, name, ".log", why, strlen(why));
	if (r < 0)
		return deliver_failed(p, name, r);
	sn_warn("participant=%s name=%s: %s", p->name, name, why);
	return deliver_aside(p, name);
}

enum delivered deliver_aside(struct participant *p, const char *name)
{
	struct item *it = sn_calloc(1, sizeof *it);

	it->p = p;
	it->aside = true;
	it->lock = -1;
	memcpy(it->name, name, strlen(name) + 1);
	it->received_ns = sn_clock_mono_ns();
	it->tag = p->ch.tag;
	it->epoch = p->ch.epoch;
	item_set_unsynced(it, true);
	sync_arm(p->b);
	return DELIVERED_KEEP;
}

/* ---- what is one ------------------------------------------------------- */

static enum delivered store(struct participant *p, char name[SN_NAME_SIZE], const struct sn_workitem *w)
{
	struct item *it;
	int r = sn_deliver(&p->spool, name, p->ch.body.data, p->ch.body.len);

	if (r < 0)
		return deliver_failed(p, name, r);
	it = item_add(p, name);
	it->tag = p->ch.tag;
	it->epoch = p->ch.epoch;
	item_note(it, w, p->ch.body.len);
	item_set_unsynced(it, true);
	sync_arm(p->b);
	if (HASH_COUNT(p->items) >= p->config.participant.hold && !p->held) {
		p->held = true;
		consumer_update(p->b->consumer, p);
	}
	return DELIVERED_KEEP;
}

static enum delivered deliver(struct participant *p)
{
	const struct channel *ch = &p->ch;
	const char *text = ch->body.data != NULL ? ch->body.data : "";
	uint64_t digest = sn_digest_short(text, ch->body.len);
	char name[SN_NAME_SIZE], why[128];
	struct sn_workitem w;
	struct item *it;

	sn_workitem_read(text, ch->body.len, &w);
	sn_name_make(&p->b->names, digest, w.fei.wfid, name);
	if (ch->body_size > ch->body.len) {
		(void)snprintf(why, sizeof why, "%llu bytes are over max_size: the first %zu are kept",
			       (unsigned long long)ch->body_size, ch->body.len);
		return put_aside(p, name, why);
	}
	if (w.kind == SN_WORKITEM_CANCEL)
		return cancel_message(p, name, &w);
	if (w.kind == SN_WORKITEM_JUNK) {
		(void)snprintf(why, sizeof why, "not a workitem: %s\n", w.reason);
		return put_aside(p, name, why);
	}
	if (ch->redelivered) {
		it = find_open(p, digest);
		if (it != NULL)
			return join(it);
		if (find_recent(p, digest, name)) {
			sn_info("participant=%s digest=%016llx: answered before, the broker sent it again",
				p->name, (unsigned long long)digest);
			return DELIVERED_ACK;
		}
	}
	return store(p, name, &w);
}

static void set_full(struct bridge *b, bool full)
{
	b->full = full;
	b->room_timer.repeat = results_backoff_s(b->store_failures);
	if (full)
		ev_timer_again(b->loop, &b->room_timer);
	else
		ev_timer_stop(b->loop, &b->room_timer);
	status_touch(b);
}

enum delivered deliver_message(struct participant *p)
{
	enum delivered d;

	if (p->b->full || p->lost)
		return DELIVERED_NO_ROOM;
	d = deliver(p);
	if (p->lost)
		return d;
	if (d == DELIVERED_NO_ROOM) {
		p->b->store_failures++;
		set_full(p->b, true); /* until reconcile, or the room timer, finds room */
		sn_err("%s: %s: nothing is taken from the broker", p->b->home.spool,
		       bridge_full_reason(p->b));
	} else if (p->b->store_failures > 0) {
		p->b->store_failures = 0;
		p->b->store_error = 0;
		sn_info("%s can be written again", p->b->home.spool);
	}
	return d;
}

/* Below the configured minimum nothing is consumed; above it, again. */
void bridge_check_room(struct bridge *b)
{
	const uint64_t min_bytes = b->config.skynet.min_free_mb << 20;
	struct participant *p;
	struct statvfs v;
	bool full;

	if (fstatvfs(b->spooldir, &v) < 0)
		return;
	/* f_files is 0 on file systems that do not count inodes. */
	full = (uint64_t)v.f_bavail * v.f_frsize < min_bytes ||
	       (v.f_files > 0 && v.f_favail < b->config.skynet.min_free_inodes);
	if (full == b->full)
		return;
	if (full)
		sn_err("%s has less than %llu MB or %llu inodes free: nothing is taken from the broker",
		       b->home.spool, (unsigned long long)b->config.skynet.min_free_mb,
		       (unsigned long long)b->config.skynet.min_free_inodes);
	else if (b->store_failures > 0)
		sn_info("%s: seeing whether it can be written again", b->home.spool);
	else
		sn_info("there is room again in %s", b->home.spool);
	set_full(b, full);
	TAILQ_FOREACH(p, &b->participants, link)
	consumer_update(b->consumer, p);
}
