/* The unfinished workitems: what open/ says of each, and who is answered. */
#include "base/clock.h"
#include "spool/recover.h"
#include "svc/answers.h"
#include "svc/items_private.h"
#include "sys/dir.h"

enum { YOUNG_US = 5000000 };

/* As far as open/ alone tells. */
static int add(void *arg, const char *name)
{
	static const enum sn_item_state STATES[] = {
		[SN_HELD] = SN_ITEM_HELD, [SN_WAITING] = SN_ITEM_NEW, [SN_IN_HAND] = SN_ITEM_CUR};
	struct sn_scan *sc = arg;
	enum sn_whereabouts where = SN_NOWHERE;
	struct sn_item *item;

	if (!sn_name_valid(name))
		return 0;
	item = sn_items_add(sc->out, sc->shelf, name);
	item->state = SN_ITEM_NEW;
	if (sn_items_wanted(sc, item))
		where = sn_recover_find(&sc->shelf->s, name);
	if (where == SN_NOWHERE) /* or not wanted */
		sc->out->count--;
	else
		item->state = STATES[where];
	return 0;
}

static bool may_be_answered(const struct sn_item *item)
{
	return item->state == SN_ITEM_NEW || item->state == SN_ITEM_CUR;
}

/* Of the items behind `from`. The journals are read after open/: who has answered has done so before he unlocked. */
static void find_answered(const struct sn_scan *sc, size_t from)
{
	struct sn_answers answers = {0};

	(void)!sn_answers_read(&answers, sc->shelf->s.result); /* what can be seen is shown */
	for (size_t i = from; i < sc->out->count; i++) {
		struct sn_item *item = &sc->out->list[i];
		const struct sn_answer *answer = may_be_answered(item) ? sn_answers_find(&answers, item->name)
								       : NULL;

		if (answer == NULL)
			continue;
		item->state = SN_ITEM_RESULT;
		item->attempt = answer->attempt;
	}
	sn_answers_release(&answers);
}

/* The attempt noted in cur/, 0 if there is none: the first entry that begins with "NAME,a". */
static unsigned noted(char *const *cur, size_t count, const char *name)
{
	size_t low = 0, high = count;
	char found[SN_NAME_SIZE];
	unsigned attempt;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (strcmp(cur[middle], name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; cur[low] != NULL && strncmp(cur[low], name, strlen(name)) == 0; low++) {
		if (sn_attempt_parse(cur[low], found, &attempt) == 0 && strcmp(found, name) == 0)
			return attempt;
	}
	return 0;
}

static void find_attempts(const struct sn_scan *sc, size_t from)
{
	char **cur = sn_items_sorted_names(sc->shelf->s.cur);
	const size_t count = sn_items_count_names(cur);

	for (size_t i = from; i < sc->out->count; i++) {
		struct sn_item *item = &sc->out->list[i];

		if (item->attempt == 0)
			item->attempt = noted(cur, count, item->name);
		if (item->attempt == 0 && item->state == SN_ITEM_CUR)
			item->attempt = 1; /* only later ones are always noted */
	}
	sn_home_files_free(cur);
}

int sn_items_scan_open(struct sn_scan *sc)
{
	struct sn_items *out = sc->out;
	const size_t from = out->count;
	size_t kept = from;
	int r = sn_dir_each(sc->shelf->s.open, add, sc);
	bool any = false;

	for (size_t i = from; i < out->count; i++)
		any = any || may_be_answered(&out->list[i]);
	if (any && sc->shelf->s.result >= 0)
		find_answered(sc, from);
	find_attempts(sc, from);
	for (size_t i = from; i < out->count; i++) {
		if ((sc->states & 1u << out->list[i].state) != 0)
			out->list[kept++] = out->list[i];
	}
	out->count = kept;
	return r;
}

int sn_items_count(const struct sn_shelf *shelf, int ret[SN_ITEM_STATES])
{
	struct sn_items items = {0};
	struct sn_scan sc = {.shelf = shelf, .out = &items};
	const int64_t old_us = sn_clock_real_us() - YOUNG_US;
	int r = sn_dir_each(shelf->s.open, add, &sc);
	bool any_old = false;

	for (size_t i = 0; i < items.count; i++)
		any_old = any_old || (items.list[i].state == SN_ITEM_NEW &&
				      sn_name_time_us(items.list[i].name) < old_us);
	/* After a flood this takes a second: not for what is answered and out in a moment anyway. */
	if (any_old && shelf->s.result >= 0)
		find_answered(&sc, 0);
	memset(ret, 0, SN_ITEM_STATES * sizeof *ret);
	for (size_t i = 0; i < items.count; i++)
		ret[items.list[i].state]++;
	sn_items_release(&items);
	return r;
}
