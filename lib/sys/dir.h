/* Directories by descriptor. A leaf is one path component: not empty, not "." or "..", no '/'; every function
 * here refuses anything else with -EINVAL, opens with O_NOFOLLOW|O_CLOEXEC and returns 0, a descriptor (the caller's)
 * or -errno. */
#ifndef SN_DIR_H
#define SN_DIR_H

#include "base/buf.h"

#include <sys/stat.h>

bool sn_leaf_valid(const char *leaf);
/* Opens a directory by path (at: AT_FDCWD or a descriptor). The last component must not be a link. */
int sn_dir_open(int at, const char *path) SN_CHECK;
/* mkdir with exactly `mode` (umask aside; a setgid bit that the parent hands down stays), an existing directory is
 * success. */
int sn_dir_make(int at, const char *leaf, mode_t mode) SN_CHECK;
/* sn_dir_make and sn_dir_open. */
int sn_dir_make_open(int at, const char *leaf, mode_t mode) SN_CHECK;
/* Reads a regular file that we trust. -E2BIG past b's ceiling. */
int sn_dir_read(int dirfd, const char *leaf, struct sn_buf *b) SN_CHECK;
/* Creates leaf with O_EXCL and writes all of it; nothing stays behind on an error. */
int sn_dir_create(int dirfd, const char *leaf, const void *data, size_t len) SN_CHECK;
/* Replaces leaf whole (temporary file, rename); no sync: for state files. */
int sn_dir_replace(int dirfd, const char *leaf, const void *data, size_t len) SN_CHECK;
/* Opens for reading what somebody else may have put there: beneath dirfd, no links, never blocks. The caller checks
 * the kind of file with fstat. */
int sn_dir_open_hostile(int dirfd, const char *leaf) SN_CHECK;
/* With more flags. What they forbid (O_NOATIME on a file of somebody else) is opened without them. */
int sn_dir_open_hostile_with(int dirfd, const char *leaf, int flags) SN_CHECK;
/* Calls `each` with every name but "." and ".." until it returns non-zero, which is then returned. The order is the
 * directory's. `each` may remove the entry. */
int sn_dir_each(int dirfd, int (*each)(void *arg, const char *name), void *arg) SN_CHECK;
/* Number of entries, or -errno. */
int sn_dir_count(int dirfd) SN_CHECK;
/* unlinkat where a missing entry is success. */
int sn_dir_unlink(int dirfd, const char *leaf) SN_CHECK;
int sn_dir_sync(int dirfd) SN_CHECK;

#endif
