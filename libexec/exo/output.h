/* What exo writes to its stdout, which is the pipe to svlogd. It is written in batches (once per turn of the loop) and
 * never waited for: a pipe writable for poll(2) takes PIPE_BUF bytes.
 *
 * When the log takes nothing: up to OUTPUT_SOFT bytes are kept; then exo reads no more pipes and starts no more
 * work (the log is slower than the work: back-pressure); after OUTPUT_PATIENCE_S without any progress the log counts
 * as stuck, work goes on, and lines beyond OUTPUT_SOFT are dropped and counted. The count is written
 * as a line of its own when the log takes something again. */
#ifndef EXO_OUTPUT_H
#define EXO_OUTPUT_H

#include <ev.h>

#include "base/buf.h"

enum { OUTPUT_SOFT = 128 << 10, OUTPUT_HARD = 512 << 10, OUTPUT_PATIENCE_S = 5 };

struct output {
	struct ev_loop *loop;
	ev_io writable;
	ev_timer patience;
	struct sn_buf buf;
	size_t at;    /* written so far */
	size_t chunk; /* at most this much in one write */
	unsigned long dropped;
	bool full;  /* waiting for `writable` */
	bool stuck; /* patience is over */
};

void output_init(struct output *o, struct ev_loop *loop);
/* `[tag] text` and a newline; control bytes and what is no UTF-8 as \xNN. */
void output_tagged(struct output *o, const char *tag, const char *text, size_t len);
/* A whole line of our own. */
void output_line(struct output *o, const char *line, size_t len);
void output_flush(struct output *o);
bool output_congested(const struct output *o);
/* Writes what is left, for at most `seconds`. */
void output_finish(struct output *o, double seconds);

#endif
