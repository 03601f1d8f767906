#include "svc/answers.h"

#include <stdlib.h>

#include "base/mem.h"
#include "spool/journal.h"

static int add(void *arg, int fd, const struct sn_record *rec)
{
	struct sn_answers *a = arg;
	struct sn_answer *answer;

	(void)fd;
	if (rec->head.message != 0)
		return 0;
	if (a->count == a->cap) {
		a->cap = a->cap > 0 ? 2 * a->cap : 64;
		a->list = sn_realloc(a->list, a->cap * sizeof *a->list);
	}
	answer = &a->list[a->count];
	*answer = (struct sn_answer){
		.outcome = rec->head.outcome, .attempt = rec->head.attempt, .order = a->count};
	memcpy(answer->name, rec->head.name, sizeof answer->name);
	a->count++;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct sn_answer *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

int sn_answers_read(struct sn_answers *a, int dir)
{
	int r = sn_journal_each(dir, add, a);

	if (a->count > 0)
		qsort(a->list, a->count, sizeof *a->list, by_name);
	return r;
}

const struct sn_answer *sn_answers_find(const struct sn_answers *a, const char *name)
{
	size_t low = 0, high = a->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(a->list[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < a->count && strcmp(a->list[low].name, name) == 0 ? &a->list[low] : NULL;
}

void sn_answers_release(struct sn_answers *a)
{
	free(a->list);
	*a = (struct sn_answers){0};
}
