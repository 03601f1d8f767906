#include "spool/recover.h"

#include <fcntl.h>

#include "data/digest.h"
#include "spool/claim.h"
#include "sys/dir.h"

enum sn_whereabouts sn_recover_find(const struct sn_spool *s, const char *name)
{
	const int r = sn_claimed(s, name);

	if (r == -ENOENT)
		return SN_NOWHERE;
	if (sn_claim_held(s, name))
		return SN_HELD;
	return r == 1 ? SN_IN_HAND : SN_WAITING;
}

int sn_recover_check(const struct sn_spool *s, const char *name)
{
	struct sn_buf b = SN_BUF((size_t)1 << 31);
	struct stat st;
	int r;

	if (fstatat(s->open, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_size == 0)
		return -ENODATA;
	r = sn_dir_read(s->open, name, &b);
	if (r == 0 && sn_digest_short(b.data, b.len) != sn_name_digest(name))
		r = -EBADMSG;
	sn_buf_release(&b);
	return r;
}
