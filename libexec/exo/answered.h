/* Which workitems have their answer in the journals of work/result (docs/SPOOL.md, section 6). A journal is read from its
 * beginning to its end, so whoever wants to know of many asks for all of them at once (of one: sn_journal_has()):
 *
 *	struct answered a = {0};
 *	(void)answered_add(&a, name);	each
 *	if (answered_look(&a, x) > 0)
 *		if (answered_not(&a, name)) …	each
 *	answered_release(&a);
 *
 * What a worker is still writing does not count: ask for what no worker has any more. */
#ifndef EXO_ANSWERED_H
#define EXO_ANSWERED_H

#include "base/base.h"

struct exo;

enum { ANSWERED_MAX = 64 << 10 };

struct answered {
	uint64_t *keys; /* 8 bytes for each name: a hash, and in the lowest bit whether it has an answer */
	size_t count, cap;
	size_t left; /* of answered_look(): so many have none */
};

/* -ENOSPC: these are all that it can take at once. */
int answered_add(struct answered *a, const char *name) SN_CHECK;
/* Reads the journals, unless nothing was added. Nothing is added afterwards. Returns how many have no answer: none
 * where the journals cannot be read, and answered_not() says so of none; the next rescan asks again. */
size_t answered_look(struct answered *a, const struct exo *x);
/* It was added, and no journal has its answer. */
bool answered_not(const struct answered *a, const char *name);
void answered_release(struct answered *a);

/* The last that were answered under this exo, so that a late event does not begin one again that lies in open/ still. */
enum { LATELY = 4096 };

struct lately {
	uint64_t keys[LATELY]; /* in turn */
	/* Chains of those with the same place; 0 is the end, else a number in `keys` + 1. */
	uint16_t first[LATELY], next[LATELY];
	size_t count; /* in all */
};

void lately_add(struct lately *l, const char *name);
bool lately_has(const struct lately *l, const char *name);

#endif
