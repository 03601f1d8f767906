/* Which participants there are: read from the home, at start and on HUP. */
#include <pwd.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "bridge.h"
#include "cancel.h"
#include "consumer.h"
#include "gone.h"
#include "tags.h"

enum { SOON_S = 1 };

struct participant *participant_find(struct bridge *b, const char *name)
{
	struct participant *p;

	TAILQ_FOREACH(p, &b->participants, link)
	{
		if (strcmp(p->name, name) == 0)
			return p;
	}
	return NULL;
}

void participant_set_error(struct participant *p, const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;

	if (fmt != NULL) {
		va_start(ap, fmt);
		if (vasprintf(&text, fmt, ap) < 0)
			text = NULL;
		va_end(ap);
	}
	free(p->error);
	p->error = text;
	status_touch(p->b);
}

/* ---- those whose spool or user cannot be used --------------------------- */

struct unusable {
	STAILQ_ENTRY(unusable) link;
	char *name;
	int error;
};

static struct unusable *unusable_find(const struct bridge *b, const char *name)
{
	struct unusable *u;

	STAILQ_FOREACH(u, &b->unusable, link)
	{
		if (strcmp(u->name, name) == 0)
			break;
	}
	return u;
}

/* NULL: does nothing. */
static void unusable_forget(struct bridge *b, struct unusable *u)
{
	if (u == NULL)
		return;
	STAILQ_REMOVE(&b->unusable, u, unusable, link);
	free(u->name);
	free(u);
	status_touch(b);
}

/* Said once, not each time that it is tried. */
static void unusable_note(struct bridge *b, const char *name, int error)
{
	struct unusable *u = unusable_find(b, name);

	if (u != NULL && u->error == error)
		return;
	sn_err("participant=%s: cannot use its spool or user: %s", name, strerror(-error));
	if (u == NULL) {
		u = sn_calloc(1, sizeof *u);
		u->name = sn_strdup(name);
		STAILQ_INSERT_TAIL(&b->unusable, u, link);
	}
	u->error = error;
	status_touch(b);
}

int participants_unusable(const struct bridge *b, struct sn_buf *out)
{
	const struct unusable *u;
	int r = 0;

	STAILQ_FOREACH(u, &b->unusable, link)
	{
		if (r == 0)
			r = sn_buf_addf(out, "participant.%s: error its spool or user cannot be used: %s\n",
					u->name, strerror(-u->error));
	}
	return r;
}

/* ---- one ----------------------------------------------------------------- */

static void participant_free(struct participant *p)
{
	struct bridge *b = p->b;
	struct item *it, *next;

	consumer_drop(b->consumer, p);
	cancel_free(p);
	rescan_end(p);
	busy_end(p);
	if (p->watch >= 0)
		(void)inotify_rm_watch(b->inotify, p->watch);
	for (it = TAILQ_FIRST(&b->unsynced); it != NULL; it = next) {
		next = TAILQ_NEXT(it, unsynced_link);
		if (it->p == p && it->aside)
			item_remove(it);
	}
	HASH_ITER(hh, p->items, it, next)
	{
		results_leave(it);
		item_remove(it);
	}
	journals_close(p);
	tags_clear(&p->ch);
	sn_buf_release(&p->ch.body);
	sn_spool_release(&p->spool);
	sn_config_release(&p->config);
	TAILQ_REMOVE(&b->participants, p, link);
	free(p->recent);
	free(p->error);
	free(p->name);
	free(p);
}

/* Whose journals must be: the uid that runs the code. */
static int find_uid(const struct bridge *b, const struct sn_config *c, uid_t *ret)
{
	const struct passwd *pw;

	*ret = geteuid();
	if (!b->home.system)
		return 0;
	pw = c->participant.user[0] != '\0' ? getpwnam(c->participant.user) : NULL;
	if (pw == NULL)
		return -ENOENT;
	*ret = pw->pw_uid;
	return 0;
}

static int open_spool(struct participant *p)
{
	const struct sn_spool_owner nobody = {(uid_t)-1, (gid_t)-1, (gid_t)-1, (gid_t)-1};
	struct bridge *b = p->b;
	int r = sn_spool_open(&p->spool, b->spooldir, p->name, SN_SPOOL_BRIDGE);

	if (r == -ENOENT && !b->home.system) { /* removed by hand; in the system home root must make it */
		r = sn_spool_make(b->spooldir, p->name, &nobody);
		if (r == 0)
			r = sn_spool_open(&p->spool, b->spooldir, p->name, SN_SPOOL_BRIDGE);
	}
	if (r < 0)
		return r;
	r = busy_watch(p, true);
	if (r < 0)
		sn_warn("participant=%s: no inotify watch (%s): results are seen every 30 s", p->name,
			strerror(-r));
	return recover_participant(p);
}

static int add(struct bridge *b, const char *name, struct sn_config *config)
{
	struct participant *p = sn_calloc(1, sizeof *p);
	int r;

	p->b = b;
	p->name = sn_strdup(name);
	p->config = *config;
	p->watch = -1;
	TAILQ_INIT(&p->journals);
	p->ch.body = SN_BUF(config->participant.max_size_bytes);
	TAILQ_INSERT_TAIL(&b->participants, p, link);
	r = find_uid(b, config, &p->uid);
	if (r == 0)
		r = open_spool(p);
	if (r < 0) {
		unusable_note(b, name, r);
		participant_free(p);
		return r;
	}
	unusable_forget(b, unusable_find(b, name)); /* and name, which may be its own */
	gone_return(p);
	sn_info("participant=%s queue=%s open=%u", p->name, p->config.participant.queue,
		HASH_COUNT(p->items));
	p->held = HASH_COUNT(p->items) >= p->config.participant.hold;
	consumer_update(b->consumer, p);
	return 0;
}

static void update(struct participant *p, struct sn_config *config)
{
	struct bridge *b = p->b;
	const bool anew = strcmp(p->config.participant.queue, config->participant.queue) != 0 ||
			  p->config.participant.prefetch != config->participant.prefetch;

	sn_config_release(&p->config);
	p->config = *config;
	p->stale = false;
	if (find_uid(b, &p->config, &p->uid) < 0)
		participant_set_error(p, "no such user: %s", p->config.participant.user);
	if (anew)
		consumer_drop(b->consumer, p); /* its channel is opened again when it is closed */
	p->held = HASH_COUNT(p->items) >= p->config.participant.hold;
	consumer_update(b->consumer, p); /* one that the broker refused: at once */
}

static int load_one(struct bridge *b, const char *name)
{
	struct participant *p = participant_find(b, name);
	struct sn_config_reader rd = {0};
	struct sn_config config;
	int r = sn_home_config(&b->home, name, &rd, &config);

	if (r < 0) {
		sn_err("participant=%s: bad configuration%s", name,
		       p != NULL ? ", the former one stays" : "");
		if (p != NULL)
			p->stale = false;
		sn_config_release(&config);
		return r;
	}
	if (p == NULL)
		return add(b, name, &config);
	update(p, &config);
	return 0;
}

/* Whoever removed or replaced them wants another spool: what is open here is not it any more. */
static bool still_there(const struct participant *p)
{
	const struct {
		const char *path;
		int fd;
	} dirs[] = {{"open", p->spool.open},
		    {"done", p->spool.done},
		    {"failed", p->spool.failed},
		    {"work/cur", p->spool.cur},
		    {"work/result", p->spool.result}};

	for (size_t i = 0; i < SN_COUNT(dirs); i++) {
		SN_AUTOFREE char *path = sn_asprintf("%s/%s", p->name, dirs[i].path);
		struct stat now, held;

		if (fstatat(p->b->spooldir, path, &now, 0) < 0 || fstat(dirs[i].fd, &held) < 0 ||
		    now.st_ino != held.st_ino || now.st_dev != held.st_dev)
			return false;
	}
	return true;
}

void participant_lost(struct participant *p)
{
	struct bridge *b = p->b;

	p->lost = true;
	ev_timer_stop(b->loop, &b->reconcile_timer);
	ev_timer_set(&b->reconcile_timer, SOON_S, b->reconcile_s);
	ev_timer_start(b->loop, &b->reconcile_timer);
}

static void leave(struct participant *p)
{
	sn_err("participant=%s: the directories of its spool were removed or replaced", p->name);
	unusable_note(p->b, p->name, -ENOENT);
	p->stale = true;
	participant_lost(p); /* opened anew soon */
	participant_free(p);
}

static void leave_lost(struct bridge *b)
{
	struct participant *p, *next;

	for (p = TAILQ_FIRST(&b->participants); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (p->lost || !still_there(p))
			leave(p);
	}
}

void participants_look(struct bridge *b)
{
	struct unusable *u, *after;

	for (u = STAILQ_FIRST(&b->unusable); u != NULL; u = after) {
		after = STAILQ_NEXT(u, link);
		(void)load_one(b, u->name); /* if not now, then the next time */
	}
	leave_lost(b);
}

int participants_load(struct bridge *b)
{
	struct participant *p, *next;
	char **names;
	size_t count = 0;
	int r = sn_home_participants(&b->home, &names), bad = 0;

	if (r < 0)
		return r;
	TAILQ_FOREACH(p, &b->participants, link)
	p->stale = true;
	while (!STAILQ_EMPTY(&b->unusable))
		unusable_forget(b, STAILQ_FIRST(&b->unusable));
	while (names[count] != NULL)
		count++;
	journals_share(b, count);
	for (size_t i = 0; names[i] != NULL; i++)
		bad += load_one(b, names[i]) < 0;
	sn_home_files_free(names);
	for (p = TAILQ_FIRST(&b->participants); p != NULL; p = next) {
		next = TAILQ_NEXT(p, link);
		if (!p->stale)
			continue;
		sn_info("participant=%s: gone", p->name);
		participant_free(p);
	}
	leave_lost(b);
	status_touch(b);
	return bad > 0 ? -EINVAL : 0;
}
