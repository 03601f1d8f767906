#include "spool/claim.h"

#include <fcntl.h>

#include "base/fail.h"
#include "sys/dir.h"

int sn_claim(struct sn_spool *s, const char *name)
{
	char leaf[SN_ATTEMPT_SIZE];
	int r = SN_FAIL("claim.1");

	if (r < 0)
		return r;
	sn_attempt_format(name, 1, leaf);
	return renameat2(s->new, name, s->cur, leaf, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

int sn_claim_return(struct sn_spool *s, const char *name, unsigned attempt)
{
	char leaf[SN_ATTEMPT_SIZE];
	int r = SN_FAIL("claim.3");

	if (r < 0)
		return r;
	sn_attempt_format(name, attempt, leaf);
	if (renameat2(s->cur, leaf, s->new, name, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	return sn_dir_unlink(s->cur, leaf); /* reconcile linked it in already */
}

int sn_claim_uncount(struct sn_spool *s, const char *name, unsigned attempt)
{
	char from[SN_ATTEMPT_SIZE], to[SN_ATTEMPT_SIZE];
	int r = SN_FAIL("claim.4");

	if (r < 0)
		return r;
	sn_attempt_format(name, attempt, from);
	if (attempt > 1)
		sn_attempt_format(name, attempt - 1, to);
	r = attempt > 1 ? renameat2(s->cur, from, s->cur, to, RENAME_NOREPLACE)
			: renameat2(s->cur, from, s->new, name, RENAME_NOREPLACE);
	if (r == 0)
		return 0;
	if (errno != EEXIST || attempt > 1)
		return -errno;
	return sn_dir_unlink(s->cur, from); /* reconcile linked it in already */
}

int sn_claim_again(struct sn_spool *s, const char *name, unsigned attempt)
{
	char from[SN_ATTEMPT_SIZE], to[SN_ATTEMPT_SIZE];
	int r = SN_FAIL("claim.again");

	if (r < 0)
		return r;
	if (attempt >= SN_ATTEMPT_MAX)
		return -ERANGE;
	sn_attempt_format(name, attempt, from);
	sn_attempt_format(name, attempt + 1, to);
	return renameat2(s->cur, from, s->cur, to, 0) < 0 ? -errno : 0;
}
