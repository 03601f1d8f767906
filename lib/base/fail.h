/* Named failpoints, one before each step of docs/SPOOL.md; nothing at all unless built with SN_TESTING.
 * SKYNET_FAIL=retire.2:kill[,other.1:eio…]: kill, eio or enospc. With
 * SKYNET_FAIL_ONCE=FILE only the first process that can create FILE is hit.
 *
 *	if ((r = SN_FAIL("deliver.3")) < 0)
 *		return r;
 */
#ifndef SN_FAIL_H
#define SN_FAIL_H

#include "base/base.h"

#ifdef SN_TESTING
int sn_fail(const char *step) SN_CHECK;
#define SN_FAIL(step) sn_fail(step)
#else
#define SN_FAIL(step) 0
#endif

#endif
