/* retire.1–4: the bridge ends a workitem. Each step is idempotent: after a crash all are done again. */
#ifndef SN_RETIRE_H
#define SN_RETIRE_H

#include "data/result.h"
#include "spool/spool.h"

struct sn_retirement {
	const char *name;
	bool failed;	  /* into failed/ instead of done/ */
	unsigned attempt; /* from the result; unlinked from cur/ together with attempts up to max_attempts */
	unsigned max_attempts;
	const void *result; /* the whole result file as read; NULL: there is none */
	size_t result_len;
	bool move; /* the participant's file itself becomes NAME.result: where one uid owns both anyway */
	const char *log; /* text for NAME.log, or NULL */
};
/* 0; -ENOENT: no open/NAME and no done/…/NAME.json; -errno: done as far as it went, call again. */
int sn_retire(struct sn_spool *s, const struct sn_retirement *r) SN_CHECK;
/* 1 if done/ or failed/ has NAME.json already, else 0. */
int sn_retired(struct sn_spool *s, const char *name) SN_CHECK;

#endif
