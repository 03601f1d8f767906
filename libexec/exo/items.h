/* Workitems by name: what waits, what is taken from there, and which ones have ended a worker. */
#ifndef EXO_ITEMS_H
#define EXO_ITEMS_H

#include "data/name.h"

struct item {
	char name[SN_NAME_SIZE];
	unsigned attempt; /* 0: found by looking; which one it is stands in cur/ or was forgotten */
	bool noted;	  /* in cur/ (claim.3) */
	/* 0, or: found by looking, or told that it is to run again. An answer of a run before that is none (the bridge has
	 * rejected it). Real time. */
	int64_t since_us;
	/* While it is with a worker: */
	bool again; /* it is to run once more, whatever becomes of it */
	bool changed; /* it is held no longer, or written to the end: if the worker has passed it over for that, it may run */
};

void item_leaf(const struct item *it, char ret_leaf[SN_ATTEMPT_SIZE]);
bool item_is(const struct item *it, const char *name);

/* The oldest that wait, sorted by name, at most QUEUE_MAX: memory stays bounded however many wait. What had no place
 * is behind `horizon` and is found by a rescan when the queue has run empty. */
enum { QUEUE_MAX = 2048 };

struct queue {
	struct item *items;
	size_t head, count, cap;
	bool more;
	char horizon[SN_NAME_SIZE];
};

/* A name twice is one: the first. */
void queue_add(struct queue *q, const char *name, unsigned attempt);
bool queue_has(const struct queue *q, const char *name);
void queue_remove(struct queue *q, const char *name);
const struct item *queue_first(const struct queue *q); /* NULL: empty */
void queue_drop_first(struct queue *q);
void queue_clear(struct queue *q);
void queue_release(struct queue *q);

/* Sorted by name. */
enum { ITEM_LIST_MAX = 1024 };

struct item_list {
	struct item *items;
	size_t count, cap;
};

/* -ENOSPC when the list is full: the next rescan finds the item again. */
int item_list_add(struct item_list *l, const struct item *it) SN_CHECK;
void item_list_remove(struct item_list *l, size_t at);
struct item *item_list_find(const struct item_list *l, const char *name);
void item_list_release(struct item_list *l);

/* Attempts that ended badly, by name: what is noted in cur/ can be removed by the participant, this cannot. */
enum { DEATHS_MAX = 256, DEATH_WHY_SIZE = 160 };

struct death {
	char name[SN_NAME_SIZE];
	unsigned count;
	bool late; /* its time was over: it is to be answered, and not to run again */
	char why[DEATH_WHY_SIZE];
};

struct deaths {
	struct death *list;
	size_t count, cap;
};

/* One more; the oldest entry makes room. Returns the number so far. */
unsigned deaths_add(struct deaths *d, const char *name, unsigned attempt, const char *why);
/* One more, and the last. */
void deaths_late(struct deaths *d, const char *name, const char *why);
const struct death *deaths_find(const struct deaths *d, const char *name);
void deaths_forget(struct deaths *d, const char *name);
void deaths_release(struct deaths *d);

#endif
