/* The access ACL of a file. Its text is the short form with numbers, in the order that acl(5) gives:
 * "u::rwx,g::r-x,g:4:r-x,m::r-x,o::---". */
#ifndef SN_POSIX_ACL_H
#define SN_POSIX_ACL_H

#include "base/base.h"

/* 0; -EOPNOTSUPP: the file system has none; -errno. */
int sn_acl_set(int fd, const char *text) SN_CHECK;
/* 1: it is this one, 0: another; -EOPNOTSUPP: the file system has none; -errno. */
int sn_acl_is(int fd, const char *text) SN_CHECK;

#endif
