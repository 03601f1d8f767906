/* ack.1–3 without a reply: workitems that have been open for `sync_after` are made durable, all at once. */
#include <fcntl.h>
#include <stdlib.h>

#include "bridge.h"
#include "disk.h"

enum { FEW = 4 };

void sync_arm(struct bridge *b)
{
	const struct item *oldest = TAILQ_FIRST(&b->unsynced);
	double left;

	if (b->syncing || oldest == NULL || ev_is_active(&b->sync_timer))
		return;
	left = (double)(oldest->received_ns + b->config.skynet.sync_after_ns - sn_clock_mono_ns()) / 1e9;
	ev_timer_set(&b->sync_timer, left > 0.001 ? left : 0.001, 0.);
	ev_timer_start(b->loop, &b->sync_timer);
}

static void add_file(struct sync_request *r, const struct item *it, bool with_name)
{
	struct sync_file *f;
	int fd = -1;

	/* A participant's items mostly stand together: one descriptor for a run of them. */
	if (r->count > 0 && !with_name && strcmp(r->files[r->count - 1].name, it->p->name) == 0)
		return;
	fd = openat(it->p->spool.open, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		r->error = -errno;
		return;
	}
	f = &r->files[r->count++];
	f->dirfd = fd;
	(void)snprintf(f->name, sizeof f->name, "%s", with_name ? it->name : it->p->name);
}

/* Every unsynced workitem, also those that came a moment ago: they ride along. */
static struct sync_request *gather(struct bridge *b)
{
	struct sync_request *r = sn_calloc(1, sizeof *r);
	struct item *it;
	size_t count = 0;

	TAILQ_FOREACH(it, &b->unsynced, unsynced_link)
	{
		it->sync_batch = b->sync_batch;
		count++;
		r->whole = r->whole || it->aside;
	}
	r->batch = b->sync_batch;
	r->spoolfd = b->spooldir;
	/* What lies aside is several files, some of them renamed: all of it, whatever `sync` says. */
	r->whole = r->whole || (count >= FEW && b->config.skynet.sync == SN_SYNC_SYNCFS);
	r->files = sn_calloc(count, sizeof *r->files);
	TAILQ_FOREACH(it, &b->unsynced, unsynced_link)
	add_file(r, it, !r->whole && !it->aside);
	return r;
}

void sync_start(struct bridge *b)
{
	struct sync_request *r;

	if (b->syncing || TAILQ_EMPTY(&b->unsynced))
		return;
	b->sync_batch++;
	if (b->config.skynet.sync == SN_SYNC_NONE) {
		struct item *it;

		TAILQ_FOREACH(it, &b->unsynced, unsynced_link)
		it->sync_batch = b->sync_batch;
		sync_done(b, b->sync_batch, 0);
		return;
	}
	r = gather(b);
	b->syncing = true;
	disk_sync(b->disk, r);
}

void sync_done(struct bridge *b, uint64_t batch, int error)
{
	struct item *it, *next;

	b->syncing = false;
	if (error < 0) {
		/* The kernel tells such an error once; what it was about is unknown. Nothing of it was acked: the
		 * broker has it, and the next start looks at what is left. */
		sn_err("cannot sync %s: %s", b->home.spool, strerror(-error));
		bridge_stop(b, SN_EXIT_TEMPORARY);
		return;
	}
	for (it = TAILQ_FIRST(&b->unsynced); it != NULL; it = next) {
		next = TAILQ_NEXT(it, unsynced_link);
		if (it->sync_batch != batch)
			continue;
		it->synced = true;
		item_ack(it);
		if (it->aside)
			item_remove(it);
	}
	sync_arm(b);
}
