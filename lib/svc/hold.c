#include "svc/hold.h"

#include <fcntl.h>

#include "spool/claim.h"
#include "sys/dir.h"

int sn_hold(struct sn_spool *s, const char *name)
{
	/* Until the marker is there: nobody begins it meanwhile. */
	SN_AUTOFD int fd = sn_claim_lock(s, name, true);
	char marker[SN_ATTEMPT_SIZE];
	int r;

	if (fd < 0)
		return fd == -EAGAIN ? -EBUSY : fd;
	/* A worker writes its result before it unlocks. Not known is as good as answered. */
	if (sn_journal_has(s->result, name, NULL) != 0)
		return -EBUSY;
	sn_mark_format(name, SN_MARK_HOLD, marker);
	r = linkat(s->open, name, s->open, marker, 0) < 0 ? -errno : 0;
	return r == -EEXIST ? 1 : r;
}

int sn_hold_release(struct sn_spool *s, const char *name)
{
	/* Asked before: once the marker is gone it may be finished in a moment. */
	const int gone = faccessat(s->open, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	char marker[SN_ATTEMPT_SIZE];
	int r;

	sn_mark_format(name, SN_MARK_HOLD, marker);
	r = unlinkat(s->open, marker, 0) < 0 ? -errno : 0; /* exo hears of that */
	if (r < 0 && r != -ENOENT)
		return r;
	if (gone < 0)
		return gone;
	return r == 0 ? 0 : 1;
}
