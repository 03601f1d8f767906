/* A workitem is in hand while a worker holds a lock on open/NAME. exo notes in cur/ which attempt it is, where that could be
 * forgotten otherwise: of what has run for a while, has ended a worker, or was found waiting when exo looked (claim.3). */
#ifndef SN_CLAIM_H
#define SN_CLAIM_H

#include <sys/stat.h>

#include "spool/spool.h"

/* claim.1: for a worker. A descriptor for reading that holds the lock, the caller's to close, and what the file is;
 * -ENOENT: gone, or held; -EAGAIN: another has it; -errno. */
int sn_claim(struct sn_spool *s, const char *name, struct stat *ret) SN_CHECK;
/* The same for who takes it away (withdraws it, holds it), also when it is held. wait: sits out who only looks (sn_claimed), as
 * sn_claim() does. */
int sn_claim_lock(const struct sn_spool *s, const char *name, bool wait) SN_CHECK;
/* 1: in hand, 0: not; -ENOENT: not open; -errno. */
int sn_claimed(const struct sn_spool *s, const char *name) SN_CHECK;

/* Is there a marker NAME.hold? */
bool sn_claim_held(const struct sn_spool *s, const char *name);

/* claim.3: notes cur/NAME,aN. 0 also if it was. */
int sn_claim_note(struct sn_spool *s, const char *name, unsigned attempt) SN_CHECK;
/* The highest attempt noted in cur/, of those up to max_attempts + 1; 0: none. */
unsigned sn_claim_noted(const struct sn_spool *s, const char *name, unsigned max_attempts);
/* claim.again: notes attempt + 1, in the place of `attempt` if that was noted. 0; -ERANGE past SN_ATTEMPT_MAX. */
int sn_claim_again(struct sn_spool *s, const char *name, unsigned attempt) SN_CHECK;
/* claim.4: a noted attempt that does not count becomes the one before; the first is forgotten. 0, -ENOENT. */
int sn_claim_uncount(struct sn_spool *s, const char *name, unsigned attempt) SN_CHECK;
/* claim.5: takes the note away. 0 also if there is none. */
int sn_claim_forget(struct sn_spool *s, const char *name, unsigned attempt) SN_CHECK;

#endif
