/* An output pipe of a worker and whose lines come out of it. A worker has two slots; when children that a workitem
 * left behind still hold the pipe, the slot's pipe goes on as a "tail" under that workitem's tag and the
 * slot gets a new one. */
#ifndef EXO_SLOT_H
#define EXO_SLOT_H

#include <ev.h>

#include "items.h"

enum {
	SLOT_LINE_MAX = 4096, /* bytes; a longer line is split */
	SLOT_DRAIN_MAX = 1 << 20,
	TAG_SIZE = 160,
	RING_LINES = 20,
	RING_LINE_SIZE = 256,
};

struct exo;

/* The last lines, for crash reports. */
struct ring {
	unsigned next, count;
	char lines[RING_LINES][RING_LINE_SIZE];
};

struct slot {
	struct exo *x;
	int fd; /* -1: the next workitem gets a new pipe */
	ev_io io;
	bool working;
	struct item item;   /* if working */
	char tag[TAG_SIZE]; /* "" until the workitem prints something */
	struct ring *ring;  /* NULL until then; none on tails */
	size_t len;
	char *line;	   /* what has no newline yet */
	struct slot *next; /* of tails */
};

void slot_init(struct slot *s, struct exo *x);
/* A new pipe. Returns its writing end (the caller's) or -errno. */
int slot_open(struct slot *s) SN_CHECK;
/* From now on lines belong to the workitem, or (NULL) to none. */
void slot_begin(struct slot *s, const struct item *it);
/* Reads what is there and ends a partial line. */
void slot_drain(struct slot *s);
/* The pipe becomes a tail (or is closed if nothing more can come: at its end). */
void slot_detach(struct slot *s);
void slot_close(struct slot *s);
void slot_pause(struct slot *s, bool pause);
/* Calls for the i-th last line, oldest first; NULL behind the end. */
const char *ring_line(const struct ring *r, unsigned i);
/* The line that says most about an end: the last; of a crash within Python the place where it was. NULL: there is none. */
const char *ring_reason(const struct ring *r);

/* tag.c: "wfid expid" of a workitem. */
void tag_read(const struct exo *x, const struct item *it, char ret_tag[TAG_SIZE]);
struct sn_fei;
/* Of open/NAME. False: it cannot be read. */
bool fei_read(const struct exo *x, const char *name, struct sn_fei *ret);

#endif
