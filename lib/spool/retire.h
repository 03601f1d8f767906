/* retire.1 and retire.2: the bridge ends a workitem. After a crash all are done again: a result may then be kept twice, nothing is
 * ended without one. */
#ifndef SN_RETIRE_H
#define SN_RETIRE_H

#include "data/result.h"
#include "spool/spool.h"

struct sn_retirement {
	const char *name;
	bool failed;	    /* into failed/ instead of done/ */
	const void *result; /* header and body, as read; NULL: there is none */
	size_t result_len;
	const char *log; /* text for NAME.log, or NULL */
};
/* retire.1: keeps the result: in the journal of done/DATE/BUCKET, or as failed/…/NAME.result with NAME.log. 0 or -errno. */
int sn_retire_keep(struct sn_spool *s, const struct sn_retirement *r) SN_CHECK;
/* The same for several that go to done/ (valid names, results): in one write as many of the first as share a bucket. Returns how many
 * that were, or -errno. */
int sn_retire_keep_first(struct sn_spool *s, const struct sn_retirement *r, size_t count) SN_CHECK;
/* retire.2, afterwards. 0; -ENOENT: no open/NAME and no done/…/NAME.json; -errno: call again. */
int sn_retire(struct sn_spool *s, const struct sn_retirement *r) SN_CHECK;
/* 1 if done/ or failed/ has NAME.json already, else 0. */
int sn_retired(struct sn_spool *s, const char *name) SN_CHECK;

#endif
