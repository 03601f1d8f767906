/* work/result: the journals of a participant's workers and of its exo. What they say is believed in nothing: here it is only
 * seen whose results there are, and where; results.c reads them when they are sent. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/fail.h"
#include "bridge.h"
#include "cancel.h"
#include "reject.h"
#include "sys/dir.h"

/* Records that are read in one turn of the loop, of one participant: who has a million delays nobody else. */
enum { PER_TURN = 512, AT_START = 64 << 10, JOURNALS_MIN = 4 };

static struct journal *find(struct participant *p, const char *leaf)
{
	struct journal *j;

	TAILQ_FOREACH(j, &p->journals, link)
	{
		if (strcmp(j->leaf, leaf) == 0)
			return j;
	}
	return NULL;
}

/* Others wait until some of those that are open are gone. */
static void set_crowded(struct participant *p)
{
	p->room_due = p->room_due || !p->crowded;
	p->crowded = true;
}

static void cannot_open(struct participant *p, const char *leaf, int error)
{
	if (error == -EINVAL || error == -EPERM) {
		reject_entry(p, leaf);
		return;
	}
	if (error == -EMFILE || error == -ENFILE)
		set_crowded(p);
	/* EMLINK: a second link. Told once until the next reconcile: it comes with each event. */
	if (error != -ENOENT && !p->complained)
		sn_warn("participant=%s journal=%s: %s, looked at again later", p->name, leaf,
			strerror(-error));
	p->complained = p->complained || error != -ENOENT;
}

static struct journal *open_one(struct participant *p, const char *leaf)
{
	struct journal *j;
	int fd;

	if (p->journal_count >= p->b->journals_max) {
		set_crowded(p);
		return NULL;
	}
	fd = sn_result_open(&p->spool, leaf, p->uid);
	if (fd < 0) {
		cannot_open(p, leaf, fd);
		return NULL;
	}
	j = sn_calloc(1, sizeof *j);
	j->p = p;
	j->fd = fd;
	j->opened_ns = sn_clock_mono_ns();
	sn_copy_text(j->leaf, sizeof j->leaf, leaf);
	TAILQ_INSERT_TAIL(&p->journals, j, link);
	p->journal_count++;
	return j;
}

static void close_one(struct journal *j)
{
	struct participant *p = j->p;

	TAILQ_REMOVE(&p->journals, j, link);
	p->journal_count--;
	(void)close(j->fd); /* it was only read */
	free(j);
	if (p->crowded && p->journal_count <= p->b->journals_max / 4 * 3) {
		p->crowded = false;
		p->rescan = true;
	}
}

/* ---- reading ----------------------------------------------------------- */

static void set_later(struct item *it, struct journal *j, off_t at)
{
	if (it->later != NULL)
		journals_release(it->later);
	it->later = j;
	it->later_at = at;
	if (j != NULL)
		j->pending++;
}

bool journals_next_answer(struct item *it)
{
	struct journal *j = it->later;
	struct sn_records r = {.at = it->later_at, .buf = it->p->b->records};
	struct sn_record rec;
	bool found;

	if (j == NULL)
		return false;
	r.fd = j->fd;
	found = sn_records_next(&r, &rec) == 1 && rec.head.message == 0 &&
		strcmp(rec.head.name, it->name) == 0; /* else it was changed since */
	if (found) {
		j->pending++;
		journals_forget(it);
		it->journal = j;
		it->record = rec;
	}
	set_later(it, NULL, 0);
	return found;
}

/* False: not now, read it again. */
static bool take(struct journal *j, const struct sn_record *rec)
{
	struct participant *p = j->p;
	struct item *it = item_find(p, rec->head.name);

	if (it == NULL && faccessat(p->spool.open, rec->head.name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		it = item_add(p, rec->head.name); /* `skynet put`: not delivered by us */
	if (rec->head.message > 0) {
		p->blocked = !message_record(j, it, rec);
		return !p->blocked;
	}
	if (it == NULL) {
		reject_orphan(j, rec);
	} else if (it->state == ITEM_OPEN) {
		journals_forget(it);
		it->journal = j;
		it->record = *rec;
		j->pending++;
		results_answered(it);
	} else if (it->state == ITEM_READY || it->state == ITEM_WAITING) { /* the first one counts */
		set_later(it, j, rec->at);
	}
	return true;
}

/* False: there is more, which may be read now. */
static bool read_on(struct journal *j, unsigned *budget)
{
	struct sn_records r = {.fd = j->fd, .at = j->at, .buf = j->p->b->records};
	struct sn_record rec;
	int e = 0;

	if (*budget == 0)
		return false;
	while (!j->bad && *budget > 0 && (e = sn_records_next(&r, &rec)) == 1) {
		--*budget;
		j->p->found++;
		if (!take(j, &rec))
			return false;
		j->at = r.at;
	}
	j->unreadable = e < 0 && e != -EINVAL;
	if (j->unreadable)
		sn_err("participant=%s journal=%s: cannot be read, tried again later: %s", j->p->name,
		       j->leaf, strerror(-e));
	if (e == -EINVAL) {
		sn_warn("participant=%s journal=%s: goes on with what is no result, from byte %lld on",
			j->p->name, j->leaf, (long long)j->at);
		j->bad = true;
	}
	return e != 1;
}

/* ---- the end of a journal ---------------------------------------------- */

/* Gone, or another file's: then that is to be looked at. */
static int unlink_name(struct journal *j, const struct stat *st)
{
	struct participant *p = j->p;
	struct stat named;

	if (fstatat(p->spool.result, j->leaf, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (named.st_dev != st->st_dev || named.st_ino != st->st_ino)) {
		p->rescan = true;
		return 0;
	}
	return sn_dir_unlink(p->spool.result, j->leaf);
}

/* retire.4. The lock is the writer's while it appends: what is not whole now never will be. */
static void unlink_retired(struct journal *j)
{
	struct participant *p = j->p;
	unsigned budget = PER_TURN;
	struct stat st;
	int r;

	if (SN_FAIL("retire.4") < 0 || flock(j->fd, LOCK_EX | LOCK_NB) < 0)
		return;
	if (!read_on(j, &budget))
		p->unread = true;
	else if (j->pending == 0 && !j->unreadable && fstat(j->fd, &st) == 0) {
		if (st.st_size > j->at && !j->bad)
			sn_info("participant=%s journal=%s: its last result was cut short", p->name, j->leaf);
		r = unlink_name(j, &st);
		if (r == 0) {
			close_one(j);
			return;
		}
		participant_set_error(p, "cannot remove a journal from work/result: %s", strerror(-r));
	}
	(void)flock(j->fd, LOCK_UN); /* of what is locked: cannot fail */
}

/* Nothing more will be appended, or found. */
static bool is_ended(const struct journal *j)
{
	return j->pending == 0 && (j->bad || j->at >= SN_JOURNAL_BYTES);
}

/* Not unlinked here: it may be being read. */
void journals_release(struct journal *j)
{
	j->pending--;
	if (is_ended(j))
		j->p->unread = true;
	j->p->room_due = j->p->room_due || (j->p->crowded && j->pending == 0);
}

void journals_make_room(struct participant *p)
{
	struct journal *j, *next;

	if (!p->room_due)
		return;
	p->room_due = false;
	for (j = TAILQ_FIRST(&p->journals); j != NULL && p->crowded; j = next) {
		next = TAILQ_NEXT(j, link);
		if (j->pending == 0)
			unlink_retired(j);
	}
}

void journals_read(struct participant *p, bool all)
{
	unsigned budget = all ? AT_START : PER_TURN;
	struct journal *j, *next;

	p->unread = false;
	for (j = TAILQ_FIRST(&p->journals); j != NULL && budget > 0; j = next) {
		next = TAILQ_NEXT(j, link);
		if (!read_on(j, &budget))
			p->unread = true;
		if (is_ended(j))
			unlink_retired(j);
	}
	if (j == NULL)
		return;
	p->unread = true;
	while (TAILQ_FIRST(&p->journals) != j) { /* the others first, the next time */
		struct journal *done = TAILQ_FIRST(&p->journals);

		TAILQ_REMOVE(&p->journals, done, link);
		TAILQ_INSERT_TAIL(&p->journals, done, link);
	}
}

void journals_forget(struct item *it)
{
	struct journal *j = it->journal;

	set_later(it, NULL, 0);
	it->journal = NULL;
	if (j != NULL)
		journals_release(j);
}

void journals_reconcile(struct participant *p)
{
	const int64_t old_ns = sn_clock_mono_ns() - (int64_t)(p->b->reconcile_s * 1e9);
	struct journal *j, *next;

	p->complained = false;
	for (j = TAILQ_FIRST(&p->journals); j != NULL; j = next) {
		next = TAILQ_NEXT(j, link);
		if (j->pending == 0 && (j->bad || j->opened_ns < old_ns))
			unlink_retired(j);
	}
}

/* Half of the descriptors that there are for journals, the same for each participant. */
void journals_share(struct bridge *b, size_t participants)
{
	struct rlimit l = {.rlim_cur = 1024};
	size_t share;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		sn_debug("no limit of open files: %s", strerror(errno));
	share = (size_t)l.rlim_cur / 2 / (participants > 0 ? participants : 1);
	b->journals_max = share < JOURNALS_MIN	 ? JOURNALS_MIN
			  : share > JOURNALS_MAX ? JOURNALS_MAX
						 : (unsigned)share;
}

void journals_close(struct participant *p)
{
	struct journal *j, *next;

	for (j = TAILQ_FIRST(&p->journals); j != NULL; j = next) {
		next = TAILQ_NEXT(j, link);
		close_one(j);
	}
}

/* ---- events ------------------------------------------------------------ */

/* exo's probe, and directories that were put aside. */
static bool passed_over(const char *leaf)
{
	return strcmp(leaf, "exo.probe") == 0 || strncmp(leaf, "bad.", 4) == 0;
}

void journals_event(struct participant *p, const char *leaf)
{
	unsigned budget = PER_TURN;
	struct journal *j;

	if (!sn_journal_valid(leaf)) {
		if (!passed_over(leaf) && !cancel_bell(p, leaf))
			reject_entry(p, leaf);
		return;
	}
	j = find(p, leaf);
	if (j == NULL)
		j = open_one(p, leaf);
	if (j == NULL || (!p->unread && read_on(j, &budget) && !is_ended(j)))
		return;
	p->unread = true;
	ev_async_send(p->b->loop, &p->b->wake); /* the rest in the turns that follow */
}
