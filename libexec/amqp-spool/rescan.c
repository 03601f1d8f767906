/* Looking through result/new: at start, after an inotify overflow, at every reconcile. In steps, so that a participant that has, or
 * makes, a hundred thousand entries delays nobody: one step for each participant and turn of the loop, until the end of the
 * directory. What is made meanwhile is seen by inotify. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>

#include "bridge.h"
#include "publisher.h"
#include "reject.h"

enum { STEP = 512, LOOK_BACK = 64 };

struct step {
	char (*names)[SN_ATTEMPT_SIZE];
	size_t count;
};

static DIR *open_scan(struct participant *p)
{
	int fd = openat(p->spool.result, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d == NULL) {
		participant_set_error(p, "cannot list result/new: %s", strerror(errno));
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
		if (strlen(e->d_name) >= SN_ATTEMPT_SIZE)
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

/* Those before it may stand in a later step: first what is missing between it and the last one that went out. */
static bool message(struct participant *p, const char *leaf)
{
	char name[SN_NAME_SIZE], before[SN_ATTEMPT_SIZE];
	const struct item *it;
	unsigned number, n;

	if (sn_message_parse(leaf, name, &number) < 0)
		return false;
	it = item_find(p, name);
	n = it != NULL && number - it->last_message <= LOOK_BACK ? it->last_message + 1 : number;
	for (; n < number; n++) {
		(void)snprintf(before, sizeof before, "%s.m%04u", name, n); /* fits */
		if (faccessat(p->spool.result, before, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			results_event(p, before);
	}
	results_event(p, leaf);
	return true;
}

static void take_step(struct participant *p)
{
	struct step s = {.names = sn_malloc(STEP * sizeof *s.names)};

	if (!read_step(p, &s)) {
		(void)closedir(p->scan); /* it was only read */
		p->scan = NULL;
	}
	qsort(s.names, s.count, sizeof *s.names, by_name);
	/* Messages first: a reply waits for those that were submitted before it. */
	for (size_t i = 0; i < s.count; i++) {
		if (message(p, s.names[i]))
			s.names[i][0] = '\0';
	}
	for (size_t i = 0; i < s.count; i++) {
		if (s.names[i][0] != '\0')
			results_event(p, s.names[i]);
	}
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

void rescan_go_on(struct bridge *b)
{
	struct participant *p;

	TAILQ_FOREACH(p, &b->participants, link)
	{
		if (b->publisher != NULL && !publisher_ready(b->publisher))
			return; /* the next wake comes from it */
		if (p->scan != NULL)
			take_step(p);
		else if (p->rescan)
			results_rescan(p);
		if (p->scan != NULL)
			ev_async_send(b->loop, &b->wake); /* the next step in the next turn */
	}
}

void rescan_end(struct participant *p)
{
	if (p->scan != NULL)
		(void)closedir(p->scan); /* it was only read */
	p->scan = NULL;
}
