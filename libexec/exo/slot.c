#include "slot.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "exo.h"

static const char *tag_of(struct slot *s)
{
	if (!s->working)
		return "-";
	if (s->tag[0] == '\0')
		tag_read(s->x, &s->item, s->tag);
	return s->tag;
}

static void ring_add(struct slot *s, const char *text, size_t len)
{
	struct ring *r = s->ring;

	if (r == NULL)
		s->ring = r = sn_calloc(1, sizeof *r);
	if (len > RING_LINE_SIZE - 1)
		len = RING_LINE_SIZE - 1;
	memcpy(r->lines[r->next], text, len);
	r->lines[r->next][len] = '\0';
	r->next = (r->next + 1) % RING_LINES;
	if (r->count < RING_LINES)
		r->count++;
}

const char *ring_line(const struct ring *r, unsigned i)
{
	if (r == NULL || i >= r->count)
		return NULL;
	return r->lines[(r->next + RING_LINES - r->count + i) % RING_LINES];
}

const char *ring_reason(const struct ring *r)
{
	const char *line, *last = NULL, *before = "";

	for (unsigned i = 0; (line = ring_line(r, i)) != NULL; i++) {
		if (strncmp(before, "Current thread ", 15) == 0)
			return line + strspn(line, " ");
		last = before = line;
	}
	return last;
}

static void emit(struct slot *s, size_t len)
{
	output_tagged(&s->x->out, tag_of(s), s->line, len);
	ring_add(s, s->line, len);
	s->len -= len;
	memmove(s->line, s->line + len, s->len);
}

/* A full buffer is cut in front of a character that is not complete yet. */
static size_t cut(const char *text, size_t len)
{
	for (size_t back = 1; back < 4; back++) {
		unsigned char c = (unsigned char)text[len - back];

		if (c >= 0xc0)
			return sn_utf8_sequence(text + len - back, back) == 0 ? len - back : len;
		if (c < 0x80)
			break;
	}
	return len;
}

static void feed(struct slot *s, const char *data, size_t len)
{
	if (s->line == NULL)
		s->line = sn_malloc(SLOT_LINE_MAX);
	while (len > 0) {
		size_t room = SLOT_LINE_MAX - s->len, n = len < room ? len : room;
		const char *end = memchr(data, '\n', n);

		if (end != NULL)
			n = (size_t)(end - data);
		memcpy(s->line + s->len, data, n);
		s->len += n;
		data += n;
		len -= n;
		if (end != NULL) {
			data++;
			len--;
			emit(s, s->len);
		} else if (s->len == SLOT_LINE_MAX) {
			emit(s, cut(s->line, s->len));
		}
	}
}

/* Returns what read(2) did; 0 at the end. */
static ssize_t read_once(struct slot *s)
{
	char data[16384];
	ssize_t n;

	do
		n = read(s->fd, data, sizeof data);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		feed(s, data, (size_t)n);
	return n < 0 ? -errno : n;
}

static void end_line(struct slot *s)
{
	if (s->len > 0)
		emit(s, s->len);
}

static void tail_free(struct slot *s)
{
	struct slot **at = &s->x->tails;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	s->x->tail_count--;
	slot_close(s);
	free(s);
}

/* Takes what there is. True: everybody closed it. */
static bool read_to_end(struct slot *s)
{
	ssize_t n = read_once(s);

	if (n > 0 || n == -EAGAIN)
		return false;
	end_line(s);
	return true;
}

static void on_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct slot *s = io->data;

	(void)events;
	if (read_to_end(s))
		ev_io_stop(loop, &s->io); /* the worker's death says the rest */
}

static void on_tail_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct slot *s = io->data;

	(void)loop, (void)events;
	if (read_to_end(s))
		tail_free(s);
}

void slot_init(struct slot *s, struct exo *x)
{
	*s = (struct slot){.x = x, .fd = -1};
}

int slot_open(struct slot *s)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	if (fcntl(p[0], F_SETFL, O_NONBLOCK) < 0) { /* the reader's end only */
		int r = -errno;

		(void)close(p[0]);
		(void)close(p[1]);
		return r;
	}
	s->fd = p[0];
	ev_io_init(&s->io, on_readable, s->fd, EV_READ);
	s->io.data = s;
	if (!s->x->paused)
		ev_io_start(s->x->loop, &s->io);
	return p[1];
}

void slot_begin(struct slot *s, const struct item *it)
{
	s->working = it != NULL;
	s->tag[0] = '\0';
	if (s->ring != NULL)
		s->ring->count = 0;
	if (it != NULL)
		s->item = *it;
}

void slot_drain(struct slot *s)
{
	size_t sum = 0;

	while (s->fd >= 0 && sum < SLOT_DRAIN_MAX) {
		ssize_t n = read_once(s);

		if (n <= 0)
			break;
		sum += (size_t)n;
	}
	end_line(s);
}

void slot_detach(struct slot *s)
{
	struct slot *t;

	if (s->fd < 0)
		return;
	ev_io_stop(s->x->loop, &s->io);
	if (s->x->tail_count >= EXO_TAILS_MAX) {
		sn_warn("%d pipes of children that outlive their workitems are open, closing the oldest",
			EXO_TAILS_MAX);
		for (t = s->x->tails; t->next != NULL;)
			t = t->next;
		tail_free(t);
	}
	(void)tag_of(s); /* open/NAME may be gone when the next line comes */
	t = sn_malloc(sizeof *t);
	*t = *s;
	t->ring = NULL;
	ev_io_init(&t->io, on_tail_readable, t->fd, EV_READ);
	t->io.data = t;
	if (!s->x->paused)
		ev_io_start(s->x->loop, &t->io);
	t->next = s->x->tails;
	s->x->tails = t;
	s->x->tail_count++;
	s->fd = -1;
	s->len = 0;
	s->line = NULL;
}

void slot_close(struct slot *s)
{
	if (s->fd >= 0) {
		ev_io_stop(s->x->loop, &s->io);
		(void)close(s->fd);
	}
	free(s->line);
	free(s->ring);
	s->line = NULL;
	s->ring = NULL;
	s->len = 0;
	s->fd = -1;
}

void slot_pause(struct slot *s, bool pause)
{
	if (s->fd < 0)
		return;
	if (pause)
		ev_io_stop(s->x->loop, &s->io);
	else
		ev_io_start(s->x->loop, &s->io);
}
