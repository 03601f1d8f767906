#include "spool/recover.h"

#include <fcntl.h>

#include "data/digest.h"
#include "spool/cancel.h"
#include "spool/deliver.h"
#include "sys/dir.h"

static bool exists(int dir, const char *leaf)
{
	return faccessat(dir, leaf, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

enum sn_whereabouts sn_recover_find(const struct sn_spool *s, const char *name, unsigned max_attempts,
				    unsigned *ret_attempt)
{
	char leaf[SN_ATTEMPT_SIZE];

	(void)snprintf(leaf, sizeof leaf, "%s.hold", name); /* fits */
	if (exists(s->open, leaf))
		return SN_HELD;
	if (exists(s->new, name))
		return SN_IN_NEW;
	for (unsigned a = 1; a <= max_attempts + 1; a++) {
		sn_attempt_format(name, a, leaf);
		if (exists(s->cur, leaf)) {
			*ret_attempt = a;
			return SN_IN_CUR;
		}
	}
	return sn_cancel_marked(s, name) ? SN_WITHDRAWN : SN_NOWHERE;
}

int sn_recover_link(struct sn_spool *s, const char *name, unsigned max_attempts)
{
	unsigned attempt;
	int r;

	/* Twice: exo may give a workitem back (cur → new) between two look-ups. */
	if (sn_recover_find(s, name, max_attempts, &attempt) != SN_NOWHERE ||
	    sn_recover_find(s, name, max_attempts, &attempt) != SN_NOWHERE)
		return 0;
	r = sn_deliver_link(s, name);
	if (r == -ENOENT) /* retired meanwhile */
		return 0;
	return r < 0 ? r : 1;
}

int sn_recover_check(struct sn_spool *s, const char *name, unsigned *ret_links)
{
	struct sn_buf b = SN_BUF((size_t)1 << 31);
	struct stat st;
	int r;

	if (fstatat(s->open, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	r = S_ISREG(st.st_mode) ? sn_dir_read(s->open, name, &b) : -EINVAL;
	if (r == 0 && sn_digest_short(b.data, b.len) != sn_name_digest(name))
		r = st.st_nlink > 1 ? -EMLINK : -EBADMSG;
	sn_buf_release(&b);
	*ret_links = (unsigned)st.st_nlink;
	return r;
}
