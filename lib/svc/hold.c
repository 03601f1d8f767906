#include "svc/hold.h"

#include <fcntl.h>

#include "spool/deliver.h"
#include "sys/dir.h"

static bool exists(int dir, const char *leaf)
{
	return faccessat(dir, leaf, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* In cur/ as any attempt, or answered. By name, not from a listing: readdir misses what is being renamed. */
static bool in_hand(const struct sn_spool *s, const char *name)
{
	char leaf[SN_ATTEMPT_SIZE];

	for (unsigned a = 1; a <= SN_ATTEMPT_MAX; a++) {
		sn_attempt_format(name, a, leaf);
		if (exists(s->cur, leaf))
			return true;
	}
	return sn_journal_has(s->result, name, NULL) != 0; /* not known is as good as answered */
}

int sn_hold(struct sn_spool *s, const char *name)
{
	char marker[SN_NAME_SIZE + 8];
	int r;

	(void)snprintf(marker, sizeof marker, "%s.hold", name); /* fits */
	if (!exists(s->open, name))
		return -ENOENT;
	if (in_hand(s, name))
		return -EBUSY;
	r = sn_dir_create(s->open, marker, "", 0); /* from here on reconcile leaves it alone */
	if (r < 0)
		return r == -EEXIST ? 1 : r;
	if (unlinkat(s->new, name, 0) == 0)
		return 0;
	r = -errno;
	if (r == -ENOENT) /* claimed meanwhile, or it was not linked in yet, or it is finished */
		r = in_hand(s, name) ? -EBUSY : (exists(s->open, name) ? 0 : -ENOENT);
	if (r < 0)
		(void)unlinkat(s->open, marker,
			       0); /* nothing was held; spool-check finds a marker that stays */
	return r;
}

int sn_hold_release(struct sn_spool *s, const char *name)
{
	char marker[SN_NAME_SIZE + 8];
	int r;

	(void)snprintf(marker, sizeof marker, "%s.hold", name); /* fits */
	if (!exists(s->open, name))
		return -ENOENT;
	if (!exists(s->open, marker))
		return 1;
	r = in_hand(s, name) ? 0 : sn_deliver_link(s, name); /* in hand: an earlier release was cut short */
	return r < 0 ? r : sn_dir_unlink(s->open, marker);
}
