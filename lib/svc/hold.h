/* Holding (docs/SPOOL.md, section 8): a person keeps a waiting workitem from being worked on, and lets it go. */
#ifndef SN_HOLD_H
#define SN_HOLD_H

#include "svc/items.h"

/* Writes open/NAME.hold, with the workitem locked. 0; 1: it was held; -EBUSY: it is being worked on, or answered; -ENOENT: not
 * open. */
int sn_hold(struct sn_spool *s, const char *name) SN_CHECK;
/* The marker goes; exo hears of it. 0; 1: it was not held; -ENOENT: not open. */
int sn_hold_release(struct sn_spool *s, const char *name) SN_CHECK;

#endif
