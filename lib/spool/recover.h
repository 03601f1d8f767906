/* Start and reconcile (docs/SPOOL.md, section 5), for the bridge and spool-check. */
#ifndef SN_RECOVER_H
#define SN_RECOVER_H

#include "spool/spool.h"

enum sn_whereabouts {
	SN_NOWHERE,
	SN_IN_NEW,
	SN_IN_CUR,
	SN_HELD,
	SN_WITHDRAWN, /* nowhere, and cancelled (section 10): never linked in again */
};

/* Looks NAME up by name in flow order. *ret_attempt: of SN_IN_CUR. */
enum sn_whereabouts sn_recover_find(const struct sn_spool *s, const char *name, unsigned max_attempts,
				    unsigned *ret_attempt);
/* Links NAME into new/ if it is nowhere, twice in a row. The caller knows that no journal has an answer to it. 1 if it was linked, 0 if not, -errno. */
int sn_recover_link(struct sn_spool *s, const char *name, unsigned max_attempts) SN_CHECK;
/* Is open/NAME whole? 0; -EBADMSG digest differs; -EMLINK differs and has further links (ret_links); -ENOENT. */
int sn_recover_check(struct sn_spool *s, const char *name, unsigned *ret_links) SN_CHECK;

#endif
