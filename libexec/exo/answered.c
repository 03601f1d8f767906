#include "answered.h"

#include <stdlib.h>

#include "base/mem.h"
#include "exo.h"

/* FNV-1a. Who makes two names with the same one keeps a workitem of his own waiting. */
static uint64_t key_of(const char *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(0x100000001b3);
	return h & ~UINT64_C(1);
}

int answered_add(struct answered *a, const char *name)
{
	if (a->count == ANSWERED_MAX)
		return -ENOSPC;
	if (a->count == a->cap) {
		a->cap = a->cap == 0 ? 16 : a->cap * 2;
		a->keys = sn_realloc(a->keys, a->cap * sizeof *a->keys);
	}
	a->keys[a->count++] = key_of(name);
	return 0;
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a | 1, y = *(const uint64_t *)b | 1;

	return x < y ? -1 : x > y;
}

static uint64_t *find(const struct answered *a, const char *name)
{
	const uint64_t key = key_of(name);

	return a->count > 0 ? bsearch(&key, a->keys, a->count, sizeof key, compare) : NULL;
}

static int strike(void *arg, int fd, const struct sn_record *rec)
{
	struct answered *a = arg;
	uint64_t *at = rec->head.message == 0 ? find(a, rec->head.name) : NULL;

	(void)fd;
	if (at != NULL && (*at & 1) == 0) {
		*at |= 1;
		a->left--;
	}
	return a->left == 0;
}

/* Each once: readdir may give a name twice. */
static void sort(struct answered *a)
{
	size_t kept = 0;

	qsort(a->keys, a->count, sizeof *a->keys, compare);
	for (size_t i = 0; i < a->count; i++) {
		if (kept == 0 || a->keys[i] != a->keys[kept - 1])
			a->keys[kept++] = a->keys[i];
	}
	a->count = a->left = kept;
}

size_t answered_look(struct answered *a, const struct exo *x)
{
	int r;

	if (a->count == 0)
		return 0;
	sort(a);
	r = sn_journal_each(x->spool.result, strike, a);
	if (r < 0) { /* nothing is known of any: no work is done again for that */
		sn_err("cannot read work/result: %s", strerror(-r));
		a->count = a->left = 0;
	}
	return a->left;
}

bool answered_not(const struct answered *a, const char *name)
{
	const uint64_t *at = find(a, name);

	return at != NULL && (*at & 1) == 0;
}

void answered_release(struct answered *a)
{
	free(a->keys);
	*a = (struct answered){0};
}

static uint16_t *chain_of(struct lately *l, uint64_t key)
{
	return &l->first[(key >> 1) % LATELY];
}

void lately_add(struct lately *l, const char *name)
{
	const uint64_t key = key_of(name);
	const size_t at = l->count++ % LATELY;
	uint16_t *link = chain_of(l, l->keys[at]);

	if (l->count > LATELY) { /* the oldest goes */
		while (*link != at + 1)
			link = &l->next[*link - 1];
		*link = l->next[at];
	}
	link = chain_of(l, key);
	l->keys[at] = key;
	l->next[at] = *link;
	*link = (uint16_t)(at + 1);
}

bool lately_has(const struct lately *l, const char *name)
{
	const uint64_t key = key_of(name);
	size_t at = l->first[(key >> 1) % LATELY];

	while (at != 0 && l->keys[at - 1] != key)
		at = l->next[at - 1];
	return at != 0;
}
