/* Workitems as people ask for them: all of one participant, by name, by the beginning of a name, by WFID. For the
 * commands: what is read here is a picture of one moment, never a ground for a decision of the bridge's or of exo's.
 *
 *	struct sn_shelf shelf;
 *	struct sn_items found = {0};
 *	r = sn_shelf_open(&home, "P1", &shelf);
 *	r = sn_items_find(&shelf, "20261122T1054", &found);
 *	sn_items_release(&found);
 *	sn_shelf_release(&shelf);
 */
#ifndef SN_ITEMS_H
#define SN_ITEMS_H

#include "data/workitem.h"
#include "spool/result.h"
#include "spool/spool.h"
#include "svc/home.h"

enum sn_item_state {
	SN_ITEM_NEW,	/* waits; or is answered, and the caller may not look into work/ */
	SN_ITEM_CUR,	/* a worker has it in hand */
	SN_ITEM_RESULT, /* its reply is on the way out */
	SN_ITEM_HELD,
	SN_ITEM_FAILED,
	SN_ITEM_DONE,
	SN_ITEM_STATES,
};
enum { SN_ITEMS_UNFINISHED = (1 << SN_ITEM_FAILED) - 1, SN_ITEMS_ALL = (1 << SN_ITEM_STATES) - 1 };

struct sn_shelf { /* one participant's spool, as far as the caller may look into it */
	char participant[65];
	struct sn_spool s; /* below work/ all -1 where the caller may not enter it */
};

struct sn_item {
	const struct sn_shelf *shelf;
	enum sn_item_state state;
	unsigned
		attempt; /* in hand, answered, or noted (the next one, of what waits again); 0: none, or unknown */
	bool answered; /* in done/, and listed with what was answered: attempt and outcome are known */
	enum sn_outcome outcome;
	char name[SN_NAME_SIZE];
};

struct sn_items { /* oldest first */
	struct sn_item *list;
	size_t count, cap;
};

const char *sn_item_state_name(enum sn_item_state state);
/* 0 or -EINVAL. */
int sn_item_state_parse(const char *word, enum sn_item_state *ret) SN_CHECK;

/* 0; -ENOENT no such spool; -EACCES; -errno. Release after success. */
int sn_shelf_open(const struct sn_home *h, const char *participant, struct sn_shelf *ret) SN_CHECK;
void sn_shelf_release(struct sn_shelf *shelf);
/* Names of the participants that have a spool, sorted; sn_home_files_free(). */
int sn_shelf_names(const struct sn_home *h, char ***ret_names) SN_CHECK;

/* Adds the items whose state is in the set `states` (1 << state); of done and failed at most the newest `limit` each
 * (0: all), those of done with what was answered. Each journal is read once. 0 or -errno. */
int sn_items_list(const struct sn_shelf *shelf, unsigned states, size_t limit, struct sn_items *out) SN_CHECK;
/* How many of open/ are in each state (ret, by enum sn_item_state). One that is answered and younger than 5 s may be
 * counted as waiting. Of the shelf only s.open and s.result are used. 0 or -errno. */
int sn_items_count(const struct sn_shelf *shelf, int ret[SN_ITEM_STATES]) SN_CHECK;
/* Adds the items whose name is `text` or begins with it, or whose WFID it is, in whatever state. 0 or -errno. */
int sn_items_find(const struct sn_shelf *shelf, const char *text, struct sn_items *out) SN_CHECK;
void sn_items_sort(struct sn_items *items);
void sn_items_release(struct sn_items *items);

/* Where the workitem is, for people. The caller's. */
char *sn_item_path(const struct sn_home *h, const struct sn_item *item) SN_CHECK;
/* Where the result is that sn_item_result() has read: a journal, or failed/…/NAME.result. The caller's; NULL: a
 * journal that was unlinked meanwhile. */
char *sn_item_result_path(const struct sn_home *h, const struct sn_item *item,
			  const struct sn_result_file *res) SN_CHECK;
/* The cancel item that marked it (docs/SPOOL.md, section 10), or NULL: it was not cancelled. The caller's. */
char *sn_item_cancelled_by(const struct sn_item *item) SN_CHECK;
/* Opens a file of the item for reading, suffix "" (the workitem), ".log", ".retried" …: a descriptor, -ENOENT, -errno. */
int sn_item_open(const struct sn_item *item, const char *suffix) SN_CHECK;
/* Reads it into `b` (its ceiling is the caller's). */
int sn_item_read(const struct sn_item *item, const char *suffix, struct sn_buf *b) SN_CHECK;
/* The result, from the journals of done/, from failed/ or, while it is on its way out, from the journals of work/result.
 * 0; -ENOENT none; as sn_result_find() else. Set ret->text.max_bytes; release in every case. */
int sn_item_result(const struct sn_item *item, struct sn_result_file *ret) SN_CHECK;

#endif
