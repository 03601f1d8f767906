/* deliver.1–3: a body becomes open/NAME and new/NAME. For the bridge and for spool-put. */
#ifndef SN_DELIVER_H
#define SN_DELIVER_H

#include "spool/spool.h"

/* Stores body under `name` (its sequence is counted up if it is taken) and links it into new/. 0; -ENOSPC, -EDQUOT …:
 * nothing was stored. If only the link failed, 0 as well: reconcile links it. */
int sn_deliver(struct sn_spool *s, char name[SN_NAME_SIZE], const void *body, size_t len) SN_CHECK;
/* deliver.3 alone: links open/NAME into new/. 0 also if it is there. */
int sn_deliver_link(struct sn_spool *s, const char *name) SN_CHECK;
/* Writes what never becomes work, straight to failed/ (or done/): NAME + suffix (".json", ".log", ".cancel"). */
int sn_deliver_aside(int bucket_fd, const char *name, const char *suffix, const void *body,
		     size_t len) SN_CHECK;

#endif
