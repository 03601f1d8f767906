/* No space for results: nothing runs, since its answer could not be kept, until a file of that size can be
 * written. Looked at again after 1 s, doubling to 60 s. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "exo.h"
#include "sys/dir.h"

static const double DELAY_MIN_S = 1, DELAY_MAX_S = 60;
enum { PROBE_EXTRA_BYTES = 64 << 10, PROBE_CHUNK = 64 << 10 };
static const char PROBE[] = "exo.probe";

static int probe(const struct exo *x)
{
	unsigned long long left = x->room_bytes + PROBE_EXTRA_BYTES;
	SN_AUTOFREE char *zeros = sn_calloc(1, PROBE_CHUNK);
	SN_AUTOFD int fd = -1;
	int r = sn_dir_unlink(x->spool.result, PROBE);

	fd = openat(x->spool.result, PROBE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	while (r == 0 && left > 0) {
		ssize_t n = write(fd, zeros, left < PROBE_CHUNK ? (size_t)left : PROBE_CHUNK);

		if (n < 0)
			r = -errno;
		else
			left -= (unsigned long long)n;
	}
	unlink_quietly(x->spool.result, PROBE); /* the next probe, or the next start, tries again */
	return r;
}

static void again(struct exo *x)
{
	ev_timer_stop(x->loop, &x->room);
	ev_timer_set(&x->room, x->room_delay, 0);
	ev_timer_start(x->loop, &x->room);
}

static void on_room(struct ev_loop *loop, ev_timer *t, int events)
{
	struct exo *x = t->data;
	int r = probe(x);

	(void)loop, (void)events;
	if (r == 0) {
		sn_info("there is room for results again");
		x->no_room = false;
		x->reason[0] = '\0';
		x->look = true;
		ev_feed_event(x->loop, &x->rescan, EV_TIMER);
		return;
	}
	x->room_delay = x->room_delay * 2 < DELAY_MAX_S ? x->room_delay * 2 : DELAY_MAX_S;
	again(x);
}

void room_wait(struct exo *x, unsigned long long bytes, int err)
{
	(void)snprintf(x->reason, sizeof x->reason, "results cannot be stored: %s", strerror(err));
	if (bytes > x->config.participant.max_size_bytes)
		bytes = x->config.participant.max_size_bytes;
	if (!x->no_room)
		x->room_bytes = 0;
	if (bytes > x->room_bytes)
		x->room_bytes = bytes;
	if (x->no_room)
		return;
	sn_err("%s: waiting for room", x->reason);
	x->no_room = true;
	x->room_delay = DELAY_MIN_S;
	again(x);
}

void room_start(struct exo *x)
{
	ev_init(&x->room, on_room);
	x->room.data = x;
}
