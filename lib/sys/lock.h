/* Lock files (flock: the lock lives as long as a copy of the descriptor is open, also in children that inherit it). */
#ifndef SN_LOCK_H
#define SN_LOCK_H

#include "base/base.h"

/* Takes the lock `leaf` in dirfd, which is created 0600 and closed to
 * others: who may open it could hold it. Returns the descriptor (CLOEXEC, the caller's),
 * -EWOULDBLOCK if another holds it and wait is false, or -errno. */
int sn_lock_take(int dirfd, const char *leaf, bool wait) SN_CHECK;
/* The same for a file that is open: takes it now, or -EWOULDBLOCK. Only who looks, with a shared lock for an instant, is sat out
 * (for 0.1 s at most). */
int sn_lock_now(int fd) SN_CHECK;
/* 1 if somebody holds it, 0 if not (or there is no such file), or -errno. Looks by taking a shared lock for an
 * instant, which sn_lock_take() sits out; in /proc/locks where the file may not be opened. */
int sn_lock_held(int dirfd, const char *leaf) SN_CHECK;

#endif
