/* Results that exo itself writes (docs/SPOOL.md, section 6). */
#ifndef EXO_ANSWER_H
#define EXO_ANSWER_H

#include "data/result.h"
#include "items.h"

struct exo;
struct ring;

struct answer {
	enum sn_outcome outcome;
	bool silent;		 /* kept, not sent */
	const char *message;	 /* of the error */
	const struct ring *ring; /* its trace; NULL none */
};

/* The workitem with an error in it, as its result; it is locked. 0, also when it was retired; -errno, which is logged: a rescan
 * comes back to it. */
int answer_make(struct exo *x, const struct item *it, const struct answer *a) SN_CHECK;
/* The same for one that is not locked, whose worker has just ended, say: somebody may hold it in that moment. -EBUSY: so it
 * is, or another has the lock, who may be about to: no answer now, it is looked at again when it is released. */
int answer_unless_held(struct exo *x, const struct item *it, const struct answer *a) SN_CHECK;
/* Its worker has stored one, or it needs none any more. */
void answer_stored(struct exo *x, const struct item *it, const char *outcome);

#endif
