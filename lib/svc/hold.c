#include "svc/hold.h"

#include <fcntl.h>

#include "spool/claim.h"
#include "sys/dir.h"

enum { TRIES = 20, TRY_US = 10000 };

/* Who only looks whether it is in hand (sn_claimed) has the lock for an instant. */
static int lock(const struct sn_spool *s, const char *name)
{
	int fd = sn_claim_lock(s, name);

	for (int i = 1; fd == -EAGAIN && i < TRIES; i++) {
		(void)usleep(TRY_US); /* cut short: it looks earlier */
		fd = sn_claim_lock(s, name);
	}
	return fd == -EAGAIN ? -EBUSY : fd;
}

int sn_hold(struct sn_spool *s, const char *name)
{
	SN_AUTOFD int fd = lock(s, name); /* until the marker is there: nobody begins it meanwhile */
	char marker[SN_NAME_SIZE + 8];
	int r;

	if (fd < 0)
		return fd;
	/* A worker writes its result before it unlocks. Not known is as good as answered. */
	if (sn_journal_has(s->result, name, NULL) != 0)
		return -EBUSY;
	(void)snprintf(marker, sizeof marker, "%s.hold", name); /* fits */
	r = linkat(s->open, name, s->open, marker, 0) < 0 ? -errno : 0;
	return r == -EEXIST ? 1 : r;
}

int sn_hold_release(struct sn_spool *s, const char *name)
{
	/* Asked before: once the marker is gone it may be finished in a moment. */
	const int gone = faccessat(s->open, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	char marker[SN_NAME_SIZE + 8];
	int r;

	(void)snprintf(marker, sizeof marker, "%s.hold", name); /* fits */
	r = unlinkat(s->open, marker, 0) < 0 ? -errno : 0;	/* exo hears of that */
	if (r < 0 && r != -ENOENT)
		return r;
	if (gone < 0)
		return gone;
	return r == 0 ? 0 : 1;
}
