#include "items.h"

#include <stdlib.h>

#include "base/mem.h"

void item_leaf(const struct item *it, char ret_leaf[SN_ATTEMPT_SIZE])
{
	sn_attempt_format(it->name, it->attempt, ret_leaf);
}

bool item_is(const struct item *it, const char *name)
{
	return strcmp(it->name, name) == 0;
}

static void copy_name(char to[SN_NAME_SIZE], const char *name)
{
	memcpy(to, name, strlen(name) + 1); /* a valid name: it fits */
}

/* Where `name` is or belongs, counted from head. New names come in order: look from the end. */
static size_t place(const struct queue *q, const char *name, bool *ret_found)
{
	size_t low = 0, high = q->count;

	*ret_found = false;
	if (high > 0 && strcmp(q->items[q->head + high - 1].name, name) < 0)
		return high;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int c = strcmp(q->items[q->head + mid].name, name);

		if (c == 0)
			*ret_found = true;
		if (c < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void make_room(struct queue *q)
{
	if (q->head + q->count < q->cap)
		return;
	if (q->head > 0) {
		memmove(q->items, q->items + q->head, q->count * sizeof *q->items);
		q->head = 0;
		return;
	}
	q->cap = q->cap == 0 ? 64 : q->cap * 2;
	q->items = sn_realloc(q->items, q->cap * sizeof *q->items);
}

void queue_add(struct queue *q, const char *name, unsigned attempt)
{
	bool found;
	size_t at;

	if (q->more && strcmp(name, q->horizon) >= 0)
		return;
	at = place(q, name, &found);
	if (found)
		return;
	if (q->count == QUEUE_MAX) {
		q->more = true;
		copy_name(q->horizon, at == q->count ? name : q->items[q->head + q->count - 1].name);
		if (at == q->count)
			return;
		q->count--;
	}
	make_room(q);
	memmove(q->items + q->head + at + 1, q->items + q->head + at, (q->count - at) * sizeof *q->items);
	q->items[q->head + at] = (struct item){.attempt = attempt};
	copy_name(q->items[q->head + at].name, name);
	q->count++;
}

bool queue_has(const struct queue *q, const char *name)
{
	bool found;

	(void)place(q, name, &found);
	return found;
}

void queue_remove(struct queue *q, const char *name)
{
	bool found;
	size_t at = q->head + place(q, name, &found);

	if (!found)
		return;
	memmove(q->items + at, q->items + at + 1, (q->head + q->count - at - 1) * sizeof *q->items);
	q->count--;
}

const struct item *queue_first(const struct queue *q)
{
	return q->count > 0 ? &q->items[q->head] : NULL;
}

void queue_drop_first(struct queue *q)
{
	q->head++;
	if (--q->count == 0)
		q->head = 0;
}

void queue_clear(struct queue *q)
{
	q->head = q->count = 0;
	q->more = false;
}

void queue_release(struct queue *q)
{
	free(q->items);
	*q = (struct queue){0};
}

int item_list_add(struct item_list *l, const struct item *it)
{
	size_t at = l->count;

	if (l->count == ITEM_LIST_MAX)
		return -ENOSPC;
	if (l->count == l->cap) {
		l->cap = l->cap == 0 ? 16 : l->cap * 2;
		l->items = sn_realloc(l->items, l->cap * sizeof *l->items);
	}
	for (; at > 0 && strcmp(l->items[at - 1].name, it->name) > 0; at--)
		l->items[at] = l->items[at - 1];
	l->items[at] = *it;
	l->count++;
	return 0;
}

void item_list_remove(struct item_list *l, size_t at)
{
	l->count--;
	memmove(l->items + at, l->items + at + 1, (l->count - at) * sizeof *l->items);
}

struct item *item_list_find(const struct item_list *l, const char *name)
{
	for (size_t i = 0; i < l->count; i++) {
		if (item_is(&l->items[i], name))
			return &l->items[i];
	}
	return NULL;
}

void item_list_release(struct item_list *l)
{
	free(l->items);
	*l = (struct item_list){0};
}

static struct death *find(const struct deaths *d, const char *name)
{
	for (size_t i = 0; i < d->count; i++) {
		if (strcmp(d->list[i].name, name) == 0)
			return &d->list[i];
	}
	return NULL;
}

unsigned deaths_add(struct deaths *d, const char *name, unsigned attempt, const char *why)
{
	struct death *e = find(d, name);

	if (e == NULL) {
		if (d->count == DEATHS_MAX)
			memmove(d->list, d->list + 1, --d->count * sizeof *d->list);
		if (d->count == d->cap) {
			d->cap = d->cap == 0 ? 4 : d->cap * 2;
			d->list = sn_realloc(d->list, d->cap * sizeof *d->list);
		}
		e = &d->list[d->count++];
		*e = (struct death){0};
		copy_name(e->name, name);
	}
	e->count = e->count + 1 > attempt ? e->count + 1 : attempt;
	(void)snprintf(e->why, sizeof e->why, "%s", why); /* cut: it is for people */
	return e->count;
}

void deaths_late(struct deaths *d, const char *name, const char *why)
{
	(void)deaths_add(d, name, 0, why);
	find(d, name)->late = true;
}

const struct death *deaths_find(const struct deaths *d, const char *name)
{
	return find(d, name);
}

void deaths_forget(struct deaths *d, const char *name)
{
	struct death *e = d->count > 0 ? find(d, name) : NULL;

	if (e == NULL)
		return;
	d->count--;
	memmove(e, e + 1, (size_t)(d->list + d->count - e) * sizeof *e);
}

void deaths_release(struct deaths *d)
{
	free(d->list);
	*d = (struct deaths){0};
}
