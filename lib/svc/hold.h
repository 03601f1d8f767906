/* Holding (docs/SPOOL.md, section 8): a person keeps a waiting workitem from being worked on, and lets it go. */
#ifndef SN_HOLD_H
#define SN_HOLD_H

#include "svc/items.h"

/* open/NAME.hold, then new/NAME goes. 0; 1: it was held; -EBUSY: it is being worked on, or answered; -ENOENT: not open. */
int sn_hold(struct sn_spool *s, const char *name) SN_CHECK;
/* new/NAME, then the marker goes (the other order lets reconcile link it in, and exo claim it, in between: it would run
 * twice). 0; 1: it was not held; -ENOENT: not open. */
int sn_hold_release(struct sn_spool *s, const char *name) SN_CHECK;

#endif
