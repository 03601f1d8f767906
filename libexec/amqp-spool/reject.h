/* Results that are not what they should be (docs/SPOOL.md, section 6), and the words for NAME.log. */
#ifndef REJECT_H
#define REJECT_H

#include "bridge.h"

/* A result that cannot be read, or is damaged: exo is to run the workitem again; after max_attempts an error reply. */
void reject_result(struct item *it, int error);
/* Tells exo once more, unless a worker has it: exo may have been down, or have missed it. */
void reject_reconcile(const struct item *it);
const char *reject_reason(int error);
/* It says nothing about the result: later it may be readable. */
bool reject_is_passing(int error);
/* A result without an open workitem: of a retirement that was cut short, or for a person. */
void reject_orphan(struct journal *j, const struct sn_record *rec);
/* An entry of work/result that has no business there: unlinked, or moved out of the way. */
void reject_entry(struct participant *p, const char *leaf);
/* For a result that goes to failed/ (crash, timeout, invalid): text for NAME.log, owned by the caller. NULL: it does not. */
char *reject_log(const struct item *it) SN_CHECK;

#endif
