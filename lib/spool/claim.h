/* claim.1, claim.3, claim.4: exo's renames. */
#ifndef SN_CLAIM_H
#define SN_CLAIM_H

#include "spool/spool.h"

/* new/NAME → cur/NAME,a1. 0; -ENOENT: gone (not an error). */
int sn_claim(struct sn_spool *s, const char *name) SN_CHECK;
/* cur/NAME,aN → new/NAME: given back unbegun. 0, -ENOENT. */
int sn_claim_return(struct sn_spool *s, const char *name, unsigned attempt) SN_CHECK;
/* claim.4: cur/NAME,aN → cur/NAME,aN-1, or new/NAME: that attempt does not count. 0, -ENOENT. */
int sn_claim_uncount(struct sn_spool *s, const char *name, unsigned attempt) SN_CHECK;
/* cur/NAME,aN → cur/NAME,aN+1: resumed. 0, -ENOENT: retired meanwhile, -ERANGE past SN_ATTEMPT_MAX. */
int sn_claim_again(struct sn_spool *s, const char *name, unsigned attempt) SN_CHECK;

#endif
