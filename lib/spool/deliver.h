/* deliver.1 and deliver.2: a body becomes open/NAME. For the bridge and for spool-put. */
#ifndef SN_DELIVER_H
#define SN_DELIVER_H

#include "spool/spool.h"

/* Stores body under `name` (its sequence is counted up if it is taken). 0; -ENOSPC, -EDQUOT …: nothing was stored. */
int sn_deliver(struct sn_spool *s, char name[SN_NAME_SIZE], const void *body, size_t len) SN_CHECK;
/* The same for who is not the bridge, which may just start: what it finds cut short then it takes away, but for what is locked. */
int sn_deliver_beside(struct sn_spool *s, char name[SN_NAME_SIZE], const void *body, size_t len) SN_CHECK;
/* deliver.3: exo is to run it, though it may have an answer. 0 or -errno. */
int sn_deliver_again(const struct sn_spool *s, const char *name) SN_CHECK;
/* Writes what never becomes work, straight to failed/ (or done/): NAME + suffix (".json", ".log", ".cancel"). */
int sn_deliver_aside(int bucket_fd, const char *name, const char *suffix, const void *body,
		     size_t len) SN_CHECK;

#endif
