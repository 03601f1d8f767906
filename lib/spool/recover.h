/* Where a workitem is, and whether its file is whole (docs/SPOOL.md, section 5): for the bridge and the tools. */
#ifndef SN_RECOVER_H
#define SN_RECOVER_H

#include "spool/spool.h"

enum sn_whereabouts {
	SN_NOWHERE, /* not open */
	SN_HELD,
	SN_WAITING, /* or answered: who must know looks into the journals */
	SN_IN_HAND, /* a worker has it */
};

enum sn_whereabouts sn_recover_find(const struct sn_spool *s, const char *name);
/* Is open/NAME whole? 0; -ENODATA: it is empty, cut short before it was acked; -EBADMSG: its bytes are others than its name
 * says; -ENOENT; -EINVAL: no file. */
int sn_recover_check(const struct sn_spool *s, const char *name) SN_CHECK;

#endif
