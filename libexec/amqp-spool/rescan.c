/* Looking through work/result: at start, after an inotify overflow, at every reconcile. In steps, so that a participant that has, or
 * makes, a hundred thousand entries delays nobody: one step for each participant and turn of the loop, until the end of the
 * directory. What is made meanwhile is seen by inotify. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

#include "bridge.h"
#include "publisher.h"
#include "reject.h"
#include "spool/cancel.h"

enum { STEP = 512, LEAF_SIZE = SN_CANCEL_LEAF_SIZE };

struct step {
	char (*names)[LEAF_SIZE];
	size_t count;
};

static DIR *open_scan(struct participant *p)
{
	int fd = openat(p->spool.result, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d == NULL) {
		participant_set_error(p, "cannot list work/result: %s", strerror(errno));
		if (fd >= 0)
			(void)close(fd); /* a directory: nothing to flush */
	}
	return d;
}

/* False: that was the end. */
static bool read_step(struct participant *p, struct step *s)
{
	while (s->count < STEP) {
		const struct dirent *e = readdir(p->scan);

		if (e == NULL)
			return false;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (strlen(e->d_name) >= LEAF_SIZE)
			reject_entry(p, e->d_name);
		else
			memcpy(s->names[s->count++], e->d_name, strlen(e->d_name) + 1);
	}
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void take_step(struct participant *p)
{
	struct step s = {.names = sn_malloc(STEP * sizeof *s.names)};

	if (!read_step(p, &s)) {
		(void)closedir(p->scan); /* it was only read */
		p->scan = NULL;
	}
	qsort(s.names, s.count, sizeof *s.names, by_name);
	for (size_t i = 0; i < s.count; i++)
		journals_event(p, s.names[i]);
	free(s.names);
}

void results_rescan(struct participant *p)
{
	if (p->scan != NULL) { /* what it has passed may have changed */
		p->rescan = true;
		return;
	}
	p->rescan = false;
	p->scan = open_scan(p);
	if (p->scan != NULL)
		take_step(p);
	if (p->scan != NULL)
		ev_async_send(p->b->loop, &p->b->wake);
}

/* What the outbox names and was not found by then is not to be found. What is blocked may be so by what waits for this. */
static void check_resolved(struct bridge *b)
{
	const struct participant *p;

	if (!b->resolving)
		return;
	TAILQ_FOREACH(p, &b->participants, link)
	{
		if (p->scan != NULL || p->rescan || (p->unread && !p->blocked))
			return;
	}
	b->resolving = false;
	ev_async_send(b->loop, &b->wake);
}

void rescan_go_on(struct bridge *b)
{
	struct participant *p;

	TAILQ_FOREACH(p, &b->participants, link)
	{
		/* If not, the next wake comes from it. */
		const bool reads = b->publisher == NULL || publisher_ready(b->publisher) || b->resolving;

		if (reads && p->unread && !p->blocked)
			journals_read(p, false);
		if (reads)
			journals_make_room(p);
		if (p->scan != NULL)
			take_step(p);
		else if (p->rescan)
			results_rescan(p);
		if (p->scan != NULL || p->rescan || (reads && (p->room_due || (p->unread && !p->blocked))))
			ev_async_send(b->loop, &b->wake); /* the next step in the next turn */
	}
	check_resolved(b);
}

void rescan_end(struct participant *p)
{
	if (p->scan != NULL)
		(void)closedir(p->scan); /* it was only read */
	p->scan = NULL;
}
