/* Who may ask: docs/CONTROL.md. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "exo.h"

enum { GROUPS_MAX = 65536 };

/* The group that may read what is kept (adm), where that is another one than what the participant's own processes have. */
static bool readers(const struct exo *x, gid_t *ret)
{
	struct stat st;

	if (fstatat(x->spool.root, "done", &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_gid == getegid())
		return false;
	*ret = st.st_gid;
	return true;
}

static bool in_group(int sock, gid_t primary, gid_t group)
{
	SN_AUTOFREE gid_t *groups = NULL;
	socklen_t len = 0;
	gid_t none; /* asked for their number first */

	if (primary == group)
		return true;
	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, &none, &len) == 0 || errno != ERANGE ||
	    len > GROUPS_MAX * sizeof *groups)
		return false; /* it has none, or the kernel does not say */
	groups = sn_malloc(len);
	if (getsockopt(sock, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof *groups; i++) {
		if (groups[i] == group)
			return true;
	}
	return false;
}

int peer_check(const struct exo *x, int sock)
{
	struct ucred cred = {.uid = (uid_t)-1};
	socklen_t len = sizeof cred;
	struct stat st;
	gid_t group;

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -EPERM;
	if (cred.uid == 0 || cred.uid == geteuid())
		return 0;
	/* The bridge. Not the owner of spool/ itself: that is root where root made it. */
	if (fstatat(x->spool.root, "open", &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == cred.uid)
		return 0;
	return readers(x, &group) && in_group(sock, cred.gid, group) ? 0 : -EPERM;
}
