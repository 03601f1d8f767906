#include "output.h"

#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/utf8.h"

enum { KEEP_BYTES = 64 << 10 }; /* a larger buffer is given back when it is empty */

static bool writable_now(int timeout_ms)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&p, 1, timeout_ms) > 0;
}

static void on_writable(struct ev_loop *loop, ev_io *w, int events)
{
	struct output *o = w->data;

	(void)loop, (void)events;
	ev_io_stop(o->loop, &o->writable);
	ev_timer_stop(o->loop, &o->patience);
	o->full = o->stuck = false;
	output_flush(o);
}

static void on_patience(struct ev_loop *loop, ev_timer *w, int events)
{
	struct output *o = w->data;

	(void)loop, (void)events;
	o->stuck = true;
}

void output_init(struct output *o, struct ev_loop *loop)
{
	struct stat st;

	*o = (struct output){.loop = loop, .buf = SN_BUF(OUTPUT_HARD + KEEP_BYTES), .chunk = PIPE_BUF};
	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode))
		o->chunk = SIZE_MAX;
	ev_io_init(&o->writable, on_writable, STDOUT_FILENO, EV_WRITE);
	ev_timer_init(&o->patience, on_patience, OUTPUT_PATIENCE_S, 0);
	o->writable.data = o->patience.data = o;
}

static bool room(struct output *o, size_t len)
{
	size_t limit = o->stuck ? OUTPUT_SOFT : OUTPUT_HARD;

	if (o->buf.len + len <= limit)
		return true;
	o->dropped++;
	return false;
}

void output_line(struct output *o, const char *line, size_t len)
{
	if (!room(o, len) || sn_buf_add(&o->buf, line, len) < 0)
		return;
}

/* C1 control characters count: terminals act on them. */
static size_t printable(const char *s, size_t len)
{
	unsigned char c = (unsigned char)s[0];
	size_t n = sn_utf8_sequence(s, len);

	if (n == 0 || c < 0x20 || c == 0x7f)
		return 0;
	return c == 0xc2 && (unsigned char)s[1] < 0xa0 ? 0 : n;
}

void output_tagged(struct output *o, const char *tag, const char *text, size_t len)
{
	static const char HEX[] = "0123456789abcdef";
	size_t tag_len = strlen(tag), n = 0;
	char *p = room(o, tag_len + len + 4) ? sn_buf_reserve(&o->buf, tag_len + 4 * len + 4) : NULL;

	if (p == NULL)
		return;
	p[n++] = '[';
	memcpy(p + n, tag, tag_len);
	n += tag_len;
	p[n++] = ']';
	p[n++] = ' ';
	for (size_t i = 0; i < len;) {
		size_t seq = printable(text + i, len - i);

		if (seq > 0) {
			memcpy(p + n, text + i, seq);
			n += seq;
			i += seq;
			continue;
		}
		p[n++] = '\\';
		p[n++] = 'x';
		p[n++] = HEX[(unsigned char)text[i] >> 4];
		p[n++] = HEX[(unsigned char)text[i++] & 15];
	}
	p[n++] = '\n';
	o->buf.len += n;
}

static void wait_writable(struct output *o)
{
	o->full = true;
	ev_io_start(o->loop, &o->writable);
	ev_timer_set(&o->patience, OUTPUT_PATIENCE_S, 0);
	ev_timer_start(o->loop, &o->patience);
}

static void empty(struct output *o)
{
	o->at = 0;
	if (o->buf.cap > KEEP_BYTES)
		sn_buf_release(&o->buf);
	else
		sn_buf_reset(&o->buf);
	o->buf.max_bytes = OUTPUT_HARD + KEEP_BYTES;
}

static void count_dropped(struct output *o)
{
	char line[96];
	int n;

	if (o->dropped == 0)
		return;
	n = snprintf(line, sizeof line, "warning: %lu lines dropped: the log took nothing\n", o->dropped);
	o->dropped = 0;
	output_line(o, line, (size_t)n);
}

/* 0 all written, 1 the pipe is full. */
static int write_out(struct output *o)
{
	while (o->at < o->buf.len) {
		size_t left = o->buf.len - o->at;
		ssize_t n;

		if (o->chunk == PIPE_BUF && !writable_now(0))
			return 1;
		n = write(STDOUT_FILENO, o->buf.data + o->at, left < o->chunk ? left : o->chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 1;
		if (n < 0) { /* nobody reads, or the disk is full: there is nowhere to say so */
			o->dropped++;
			break;
		}
		o->at += (size_t)n;
	}
	empty(o);
	return 0;
}

void output_flush(struct output *o)
{
	if (o->full || o->buf.len == 0)
		return;
	if (write_out(o) == 1) {
		memmove(o->buf.data, o->buf.data + o->at, o->buf.len - o->at);
		o->buf.len -= o->at;
		o->at = 0;
		wait_writable(o);
		return;
	}
	if (o->dropped > 0)
		count_dropped(o);
}

bool output_congested(const struct output *o)
{
	return o->full && !o->stuck && o->buf.len >= OUTPUT_SOFT;
}

void output_finish(struct output *o, double seconds)
{
	int64_t until = sn_clock_mono_ns() + (int64_t)(seconds * 1e9);

	count_dropped(o);
	while (o->buf.len > 0 && write_out(o) == 1) {
		int64_t left = until - sn_clock_mono_ns();

		if (left <= 0 || !writable_now((int)(left / 1000000) + 1))
			break;
	}
	sn_buf_release(&o->buf);
}
