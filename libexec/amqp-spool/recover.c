/* Start and reconcile: docs/SPOOL.md, section 5. */
#include "spool/recover.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "bridge.h"
#include "cancel.h"
#include "consumer.h"
#include "reject.h"
#include "spool/claim.h"
#include "spool/retire.h"
#include "sys/dir.h"

enum { RECONCILE_S = 30 };

/* ---- start ------------------------------------------------------------- */

static int damaged(struct participant *p, const char *name)
{
	const struct sn_retirement r = {.name = name,
					.failed = true,
					.log = "damaged: the file is not what its name's digest says\n"};
	int err = sn_retire_keep(&p->spool, &r);

	sn_err("participant=%s name=%s: damaged, moved to failed/", p->name, name);
	return err < 0 ? err : sn_retire(&p->spool, &r);
}

static int cut_short(struct participant *p, const char *name)
{
	sn_info("participant=%s name=%s: cut short, removed", p->name, name);
	return sn_dir_unlink(p->spool.open, name); /* never acked: the broker sends it again */
}

/* What is not whole. 0: it is by now; -ENOENT: taken away; -EAGAIN: spool-put is writing it, reconcile finds it. */
static int take_away(struct participant *p, const char *name)
{
	SN_AUTOFD int lock = sn_claim_lock(&p->spool, name, false);
	int r = lock < 0 ? lock : sn_recover_check(&p->spool, name);

	if (r != -ENODATA && r != -EBADMSG)
		return r;
	r = r == -ENODATA ? cut_short(p, name) : damaged(p, name);
	return r == 0 ? -ENOENT : r;
}

/* NAME.hold, NAME.again, of a cancel item, or not ours. */
static void look_at_mark(struct participant *p, const char *leaf)
{
	char name[SN_NAME_SIZE];

	if (!sn_mark_parse(leaf, SN_MARK_AGAIN, name))
		cancel_found(p, leaf);
	else if (sn_dir_unlink(p->spool.open, leaf) < 0) /* deliver.3 was cut short: exo hears of it now */
		sn_err("participant=%s name=%s: cannot remove it", p->name, leaf);
}

static int look_at_open(void *arg, const char *name)
{
	struct participant *p = arg;
	int r;

	if (!sn_name_valid(name)) {
		look_at_mark(p, name);
		return 0;
	}
	sn_name_clock_seed(&p->b->names, name);
	r = sn_recover_check(&p->spool, name);
	if (r == -ENODATA || r == -EBADMSG)
		r = take_away(p, name);
	if (r == 0)
		item_add(p, name)->synced = true; /* by the one syncfs before anything is consumed */
	else if (r != -ENOENT && r != -EAGAIN)
		sn_err("participant=%s name=%s: %s", p->name, name, strerror(-r));
	return 0;
}

struct newest { /* the two greatest names of a directory */
	char name[2][256];
};

static int keep_newest(void *arg, const char *name)
{
	struct newest *n = arg;

	if (strlen(name) >= sizeof n->name[0] || strcmp(name, n->name[1]) <= 0)
		return 0;
	if (strcmp(name, n->name[0]) > 0) {
		memcpy(n->name[1], n->name[0], sizeof n->name[0]);
		(void)snprintf(n->name[0], sizeof n->name[0], "%s", name);
	} else {
		(void)snprintf(n->name[1], sizeof n->name[1], "%s", name);
	}
	return 0;
}

struct finished { /* names of a bucket, any number of them, in no order */
	struct participant *p;
	struct recent *v;
	size_t count, cap;
};

static int note_finished(void *arg, const char *leaf)
{
	struct finished *f = arg;
	char name[SN_NAME_SIZE];
	const char *dot = strstr(leaf, ".json");

	if (sn_cancel_parse(leaf, name) == SN_CANCEL_ITEM)
		cancel_note(f->p, name);
	if (dot == NULL || (size_t)(dot - leaf) > SN_NAME_MAX)
		return 0;
	memcpy(name, leaf, (size_t)(dot - leaf));
	name[dot - leaf] = '\0';
	if (!sn_name_valid(name))
		return 0;
	if (f->count == f->cap) {
		f->cap = f->cap > 0 ? 2 * f->cap : 256;
		f->v = sn_realloc(f->v, f->cap * sizeof *f->v);
	}
	memcpy(f->v[f->count].prefix, name, SN_NAME_FIXED);
	f->v[f->count++].prefix[SN_NAME_FIXED] = '\0';
	return 0;
}

static void gather_finished(int dir, struct finished *f)
{
	struct newest days = {0};

	if (sn_dir_each(dir, keep_newest, &days) < 0)
		return;
	for (int d = 0; d < 2; d++) {
		SN_AUTOFD int day = days.name[d][0] != '\0' ? sn_dir_open(dir, days.name[d]) : -1;
		struct newest buckets = {0};

		if (day < 0 || sn_dir_each(day, keep_newest, &buckets) < 0)
			continue;
		for (int i = 0; i < 2; i++) {
			SN_AUTOFD int bucket = buckets.name[i][0] != '\0' ? sn_dir_open(day, buckets.name[i])
									  : -1;

			if (bucket >= 0 && sn_dir_each(bucket, note_finished, f) < 0)
				sn_debug("cannot list a bucket");
		}
	}
}

static int by_prefix(const void *a, const void *b)
{
	return strcmp(((const struct recent *)a)->prefix, ((const struct recent *)b)->prefix);
}

/* The RECENT_MAX newest of what the newest buckets of done/ and failed/ hold were finished a moment ago. */
static void seed_recent(struct participant *p)
{
	struct finished f = {.p = p};
	char name[SN_NAME_SIZE];

	gather_finished(p->spool.done, &f);
	gather_finished(p->spool.failed, &f);
	if (f.count > 0)
		qsort(f.v, f.count, sizeof *f.v, by_prefix);
	for (size_t i = f.count > RECENT_MAX ? f.count - RECENT_MAX : 0; i < f.count; i++)
		recent_add(p, f.v[i].prefix);
	if (f.count > 0) {
		(void)snprintf(name, sizeof name, "%s_", f.v[f.count - 1].prefix); /* any label will do */
		sn_name_clock_seed(&p->b->names, name);
	}
	free(f.v);
}

int recover_participant(struct participant *p)
{
	int r = sn_dir_each(p->spool.open, look_at_open, p);

	if (r < 0)
		return r;
	seed_recent(p);
	/* What a former bridge left may never have been synced. */
	if (HASH_COUNT(p->items) > 0 && p->b->config.skynet.sync != SN_SYNC_NONE &&
	    (syncfs(p->b->spooldir) < 0 || fsync(p->spool.open) < 0))
		return -errno;
	cancel_recover(p);
	results_rescan(p);
	journals_read(p, true);
	return 0;
}

/* ---- reconcile --------------------------------------------------------- */

static int reconcile_one(void *arg, const char *name)
{
	struct participant *p = arg;

	if (!sn_name_valid(name))
		cancel_entry(p, name);
	else if (item_find(p, name) == NULL)
		item_add(p, name)->synced = true; /* `skynet put`: it has no delivery to ack */
	return 0;
}

/* Workitems that somebody removed by hand; and those that exo is to run again. */
static void look_at_known(struct participant *p)
{
	struct item *it, *next;

	HASH_ITER(hh, p->items, it, next)
	{
		if (it->state == ITEM_OPEN &&
		    faccessat(p->spool.open, it->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT) {
			sn_warn("participant=%s name=%s: removed from open/ by hand", p->name, it->name);
			item_ack(it);
			item_remove(it);
		} else {
			reject_reconcile(it);
		}
	}
}

double reconcile_every_s(void)
{
#ifdef SN_TESTING
	const char *text = getenv("SKYNET_RECONCILE_S");

	if (text != NULL)
		return strtod(text, NULL);
#endif
	return RECONCILE_S;
}

/* Something was mounted there, say. Where there is nothing, what is open goes on serving. */
static bool is_replaced(const struct bridge *b)
{
	struct stat now, held;

	return stat(b->home.spool, &now) == 0 && fstat(b->spooldir, &held) == 0 &&
	       (now.st_ino != held.st_ino || now.st_dev != held.st_dev);
}

void reconcile(struct bridge *b)
{
	struct participant *p;

	if (is_replaced(b)) {
		sn_err("%s is another directory than it was: starting again", b->home.spool);
		bridge_stop(b, SN_EXIT_TEMPORARY); /* runsv starts us again at once */
		return;
	}
	if (b->run_failed)
		b->status_dirty = b->taken_changed = true;
	b->run_failed = false;
	status_alive(b);
	bridge_check_room(b);
	participants_look(b);
	TAILQ_FOREACH(p, &b->participants, link)
	{
		int r = sn_dir_each(p->spool.open, reconcile_one, p);

		if (r < 0)
			participant_set_error(p, "cannot list open/: %s", strerror(-r));
		look_at_known(p);
		journals_reconcile(p);
		results_rescan(p);
		consumer_update(b->consumer, p);
	}
}
