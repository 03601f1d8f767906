/* Names of workitems in the spool (docs/SPOOL.md, section 1):
 *	20261122T105443.865116-0000-9f86d081884c7d65-20261122-1052-gomozuni-pebugure
 * Fixed width up to the label; names sort by arrival. A name that was read from a directory or a message is
 * used only after sn_name_valid(). */
#ifndef SN_NAME_H
#define SN_NAME_H

#include "base/base.h"

enum {
	SN_NAME_LABEL_MAX = 40,
	SN_NAME_FIXED = 45, /* bytes before the label, the last '-' included */
	SN_NAME_MAX = SN_NAME_FIXED + SN_NAME_LABEL_MAX,
	SN_NAME_SIZE = SN_NAME_MAX + 1,
	SN_ATTEMPT_SIZE = SN_NAME_MAX + 16, /* NAME,a999.m9999 and its NUL */
	SN_ATTEMPT_MAX = 999,
	SN_MESSAGE_MAX = 9999,
	SN_DATE_SIZE = 9,
	SN_BUCKET_SIZE = 5,
};

struct sn_name_clock { /* zero it, then seed it */
	int64_t last_us;
};

/* Names made from now on sort behind `name`. */
void sn_name_clock_seed(struct sn_name_clock *c, const char *name);
/* A new name, its time later than that of every name this clock made before. digest64 is
 * sn_digest_short() of the body, wfid may be NULL or any bytes. */
void sn_name_make(struct sn_name_clock *c, uint64_t digest64, const char *wfid, char ret_name[SN_NAME_SIZE]);
/* Counts the sequence field up: the name was taken. -EOVERFLOW after ffff. */
int sn_name_next_seq(char name[SN_NAME_SIZE]) SN_CHECK;
bool sn_name_valid(const char *name);
/* May it be a workitem of this process? The label says so; the workitem itself is the proof. */
bool sn_name_maybe_of(const char *valid_name, const char *wfid);
uint64_t sn_name_digest(const char *valid_name);
/* "20261122" and "1054". */
void sn_name_bucket(const char *valid_name, char ret_date[SN_DATE_SIZE], char ret_bucket[SN_BUCKET_SIZE]);
int64_t sn_name_time_us(const char *valid_name);

/* "NAME,aN". */
void sn_attempt_format(const char *valid_name, unsigned attempt, char ret_leaf[SN_ATTEMPT_SIZE]);
/* Splits "NAME,aN". 0 or -EINVAL. */
int sn_attempt_parse(const char *leaf, char ret_name[SN_NAME_SIZE], unsigned *ret_attempt) SN_CHECK;
/* Splits "NAME.mNNNN" (1 ≤ NNNN ≤ 9999). 0 or -EINVAL. */
int sn_message_parse(const char *leaf, char ret_name[SN_NAME_SIZE], unsigned *ret_number) SN_CHECK;

/* Markers beside a workitem in open/: "NAME.hold", "NAME.again" (docs/SPOOL.md, sections 3 and 8). */
#define SN_MARK_HOLD  ".hold"
#define SN_MARK_AGAIN ".again"
void sn_mark_format(const char *valid_name, const char *mark, char ret_leaf[SN_ATTEMPT_SIZE]);
/* Is `leaf` a valid name and this mark? */
bool sn_mark_parse(const char *leaf, const char *mark, char ret_name[SN_NAME_SIZE]);

/* Names of participants: 1–64 of [A-Za-z0-9_.-], first a letter or digit, not "amqp-spool". */
bool sn_participant_valid(const char *name);

#endif
