/* The history of retired workitems: lib/history.db, an SQLite index that could be made anew from
 * done/ and failed/. One writer, the bridge. */
#ifndef SN_HISTORY_H
#define SN_HISTORY_H

#include "data/name.h"
#include "data/result.h"

struct sn_history; /* an open database */

enum { SN_HISTORY_ID_MAX = 128 };
struct sn_history_row {
	char name[SN_NAME_SIZE];
	char participant[65];
	char wfid[SN_HISTORY_ID_MAX], expid[SN_HISTORY_ID_MAX]; /* cut */
	enum sn_outcome outcome;
	bool failed; /* lies in failed/ */
	unsigned attempt;
	int64_t started_us, finished_us, retired_us; /* UTC; received is the name's time */
	uint64_t bytes, reply_bytes;
};

/* Opens or creates dir/history.db, which others than its owner and group may not read. 0, or -errno with the reason logged at debug. */
int sn_history_open(const char *dir, struct sn_history **ret) SN_CHECK;
/* Adds rows in one transaction; a name that is there is replaced. 0 or -EIO. */
int sn_history_add(struct sn_history *h, const struct sn_history_row *rows, size_t count) SN_CHECK;
/* Brings the write-ahead log into the database when it has grown. May take 20 ms: not for a main loop. */
void sn_history_checkpoint(struct sn_history *h);
/* NULL is allowed. */
void sn_history_close(struct sn_history *h);

#endif
