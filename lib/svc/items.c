#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "svc/answers.h"
#include "svc/items_private.h"
#include "sys/dir.h"
#include "sys/fd.h"

static const char *const STATES[SN_ITEM_STATES] = {
	[SN_ITEM_NEW] = "new",	 [SN_ITEM_CUR] = "cur",	      [SN_ITEM_RESULT] = "result",
	[SN_ITEM_HELD] = "held", [SN_ITEM_FAILED] = "failed", [SN_ITEM_DONE] = "done",
};

const char *sn_item_state_name(enum sn_item_state state)
{
	return STATES[state];
}

int sn_item_state_parse(const char *word, enum sn_item_state *ret)
{
	for (int i = 0; i < SN_ITEM_STATES; i++) {
		if (strcmp(STATES[i], word) == 0) {
			*ret = (enum sn_item_state)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* People of group adm may read the ledger, but not enter work/. */
static int open_ledger(struct sn_spool *s, int spooldir, const char *participant)
{
	*s = (struct sn_spool){.root = -1,
			       .open = -1,
			       .done = -1,
			       .failed = -1,
			       .work = -1,
			       .cur = -1,
			       .result = -1,
			       .journal = {.fd = -1},
			       .done_bucket = {.fd = -1, .kept = {.fd = -1}},
			       .failed_bucket = {.fd = -1, .kept = {.fd = -1}}};
	s->root = openat(spooldir, participant, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->root < 0)
		return -errno;
	s->open = sn_dir_open(s->root, "open");
	s->done = sn_dir_open(s->root, "done");
	s->failed = sn_dir_open(s->root, "failed");
	if (s->open >= 0 && s->done >= 0 && s->failed >= 0)
		return 0;
	sn_spool_release(s);
	return -EACCES;
}

int sn_shelf_open(const struct sn_home *h, const char *participant, struct sn_shelf *ret)
{
	SN_AUTOFD int dir = -1;
	int r;

	if (!sn_participant_valid(participant))
		return -ENOENT;
	(void)snprintf(ret->participant, sizeof ret->participant, "%s", participant); /* at most 64 */
	dir = open(h->spool, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	r = sn_spool_open(&ret->s, dir, participant, SN_SPOOL_BRIDGE);
	return r == -EACCES ? open_ledger(&ret->s, dir, participant) : r;
}

void sn_shelf_release(struct sn_shelf *shelf)
{
	sn_spool_release(&shelf->s);
}

struct names {
	char **list;
	size_t count, cap;
};

static int add_name(void *arg, const char *name)
{
	struct names *n = arg;

	if (n->count + 1 >= n->cap) {
		n->cap = n->cap > 0 ? 2 * n->cap : 64;
		n->list = sn_realloc(n->list, n->cap * sizeof *n->list);
	}
	n->list[n->count++] = sn_strdup(name);
	n->list[n->count] = NULL;
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

char **sn_items_sorted_names(int dirfd)
{
	struct names n = {0};

	n.list = sn_calloc(1, sizeof *n.list);
	if (dirfd >= 0)
		(void)!sn_dir_each(dirfd, add_name, &n); /* what can be seen is shown */
	qsort(n.list, n.count, sizeof *n.list, by_text);
	return n.list;
}

size_t sn_items_count_names(char *const *names)
{
	size_t n = 0;

	while (names[n] != NULL)
		n++;
	return n;
}

int sn_shelf_names(const struct sn_home *h, char ***ret_names)
{
	SN_AUTOFD int dir = open(h->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t kept = 0;
	char **names;

	if (dir < 0)
		return errno == EACCES ? sn_home_participants(h, ret_names) : -errno;
	names = sn_items_sorted_names(dir);
	for (size_t i = 0; names[i] != NULL; i++) {
		if (sn_participant_valid(names[i]))
			names[kept++] = names[i];
		else
			free(names[i]);
	}
	names[kept] = NULL;
	*ret_names = names;
	return 0;
}

struct sn_item *sn_items_add(struct sn_items *out, const struct sn_shelf *shelf, const char *name)
{
	struct sn_item *item;

	if (out->count == out->cap) {
		out->cap = out->cap > 0 ? 2 * out->cap : 64;
		out->list = sn_realloc(out->list, out->cap * sizeof *out->list);
	}
	item = &out->list[out->count++];
	*item = (struct sn_item){.shelf = shelf};
	memcpy(item->name, name, strlen(name) + 1); /* a valid name */
	return item;
}

/* A WFID is looked for by the label first: that costs no file. */
bool sn_items_wanted(const struct sn_scan *sc, const struct sn_item *item)
{
	struct sn_buf b = SN_BUF((size_t)1 << 30);
	struct sn_name_clock clock = {0};
	char probe[SN_NAME_SIZE];
	struct sn_workitem w;
	bool same;

	if (sc->text == NULL || strncmp(item->name, sc->text, strlen(sc->text)) == 0)
		return true;
	sn_name_make(&clock, 0, sc->text, probe);
	if (strcmp(probe + SN_NAME_FIXED, item->name + SN_NAME_FIXED) != 0)
		return false;
	same = sn_item_read(item, "", &b) == 0;
	if (same) {
		sn_workitem_read(b.data, b.len, &w);
		same = strcmp(w.fei.wfid, sc->text) == 0;
	}
	sn_buf_release(&b);
	return same;
}

/* -- the finished ones: DATE/BUCKET/NAME.json */

/* What a list tells of each: looked up here, where the bucket's journals need to be read but once. */
static void add_answers(struct sn_scan *sc, int dirfd, size_t from)
{
	struct sn_answers answers = {0};

	(void)!sn_answers_read(&answers, dirfd); /* what can be seen is shown */
	for (size_t i = from; i < sc->out->count; i++) {
		struct sn_item *item = &sc->out->list[i];
		const struct sn_answer *answer = sn_answers_find(&answers, item->name);

		if (answer == NULL)
			continue;
		item->answered = true;
		item->outcome = answer->outcome;
		item->attempt = answer->attempt;
	}
	sn_answers_release(&answers);
}

static void scan_bucket(struct sn_scan *sc, int dirfd, enum sn_item_state state)
{
	char **leaves = sn_items_sorted_names(dirfd);
	const size_t from = sc->out->count;

	for (size_t i = 0; leaves[i] != NULL; i++) {
		char *dot = strstr(leaves[i], ".json");
		struct sn_item *item;

		if (dot == NULL || dot[5] != '\0')
			continue;
		*dot = '\0';
		if (!sn_name_valid(leaves[i]))
			continue;
		item = sn_items_add(sc->out, sc->shelf, leaves[i]);
		item->state = state;
		if (!sn_items_wanted(sc, item))
			sc->out->count--;
	}
	if (state == SN_ITEM_DONE && sc->text == NULL)
		add_answers(sc, dirfd, from);
	sn_home_files_free(leaves);
}

/* Can what is searched for be in a directory of that date or bucket? */
static bool worth_it(const char *text, size_t at, const char *part)
{
	size_t len = text != NULL && strlen(text) > at ? strlen(text) - at : 0;

	/* Only what looks like the beginning of a name narrows the search: a WFID begins with a date as well. */
	if (len == 0 || strlen(text) < 9 || text[8] != 'T')
		return true;
	return strncmp(text + at, part, len < strlen(part) ? len : strlen(part)) == 0;
}

/* From the newest date down, until `limit` are found. */
static void scan_finished(struct sn_scan *sc, enum sn_item_state state, size_t limit)
{
	int top = state == SN_ITEM_DONE ? sc->shelf->s.done : sc->shelf->s.failed;
	size_t before = sc->out->count, days, n;
	char **dates = sn_items_sorted_names(top);

	days = sn_items_count_names(dates);
	while (days-- > 0 && (limit == 0 || sc->out->count - before < limit)) {
		SN_AUTOFD int day = worth_it(sc->text, 0, dates[days]) ? sn_dir_open(top, dates[days]) : -1;
		char **buckets = sn_items_sorted_names(day);

		n = sn_items_count_names(buckets);
		while (n-- > 0 && (limit == 0 || sc->out->count - before < limit)) {
			SN_AUTOFD int fd = worth_it(sc->text, 9, buckets[n]) ? sn_dir_open(day, buckets[n])
									     : -1;

			if (fd >= 0)
				scan_bucket(sc, fd, state);
		}
		sn_home_files_free(buckets);
	}
	sn_home_files_free(dates);
}

static int run_scan(struct sn_scan *sc, size_t limit)
{
	int r = 0;

	if ((sc->states & SN_ITEMS_UNFINISHED) != 0)
		r = sn_items_scan_open(sc);
	if ((sc->states & 1u << SN_ITEM_FAILED) != 0)
		scan_finished(sc, SN_ITEM_FAILED, limit);
	if ((sc->states & 1u << SN_ITEM_DONE) != 0)
		scan_finished(sc, SN_ITEM_DONE, limit);
	sn_items_sort(sc->out);
	return r;
}

int sn_items_list(const struct sn_shelf *shelf, unsigned states, size_t limit, struct sn_items *out)
{
	struct sn_scan sc = {.shelf = shelf, .out = out, .states = states};

	return run_scan(&sc, limit);
}

int sn_items_find(const struct sn_shelf *shelf, const char *text, struct sn_items *out)
{
	struct sn_scan sc = {.shelf = shelf, .out = out, .states = SN_ITEMS_ALL, .text = text};

	return text[0] == '\0' ? 0 : run_scan(&sc, 0);
}

static int by_name(const void *a, const void *b)
{
	const struct sn_item *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : strcmp(x->shelf->participant, y->shelf->participant);
}

void sn_items_sort(struct sn_items *items)
{
	if (items->count > 0)
		qsort(items->list, items->count, sizeof *items->list, by_name);
}

void sn_items_release(struct sn_items *items)
{
	free(items->list);
	*items = (struct sn_items){0};
}
