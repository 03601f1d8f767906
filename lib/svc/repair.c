/* What sn_check_repair does for each trouble. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "spool/cancel.h"
#include "spool/recover.h"
#include "spool/result.h"
#include "spool/retire.h"
#include "svc/check.h"
#include "svc/put.h"
#include "sys/dir.h"

static const char *leaf_of(const struct sn_finding *f)
{
	const char *slash = strrchr(f->path, '/');

	return slash != NULL ? slash + 1 : f->path;
}

static int move_damaged(struct sn_check *c, const struct sn_finding *f)
{
	struct sn_retirement ret = {
		.name = f->name,
		.failed = true,
		.max_attempts = c->max_attempts,
		.log = "damaged: its bytes are not those that were delivered (spool-check)\n"};
	int r = sn_retire_keep(&c->shelf->s, &ret);

	return r < 0 ? r : sn_retire(&c->shelf->s, &ret);
}

/* All of retiring, into where the workitem is. What keeping is for: the result that work/result still has. */
static int finish_retiring(struct sn_check *c, const struct sn_finding *f)
{
	struct sn_result_file rf = {.text = SN_BUF((size_t)1 << 30)};
	struct sn_retirement ret = {.name = f->name, .max_attempts = c->max_attempts};
	char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE];
	SN_AUTOFREE char *json = NULL;
	int r = sn_result_find(c->shelf->s.result, f->name, &rf);

	sn_name_bucket(f->name, date, bucket);
	json = sn_asprintf("%s/%s/%s.json", date, bucket, f->name);
	ret.failed = !sn_check_exists(c->shelf->s.done, json);
	if (r == 0) {
		ret.attempt = rf.head.attempt;
		ret.result = rf.text.data;
		ret.result_len = rf.text.len;
		r = sn_retire_keep(&c->shelf->s, &ret);
	}
	if (r == 0)
		r = sn_retire(&c->shelf->s, &ret);
	sn_result_release(&rf);
	return r;
}

static int as_owner(struct sn_check *c, const struct sn_finding *f)
{
	struct sn_spool *s = &c->shelf->s;
	int r;

	switch (f->trouble) {
	case SN_OPEN_SHORT:
	case SN_HOLD_STALE:
	case SN_HOLD_WORKING:
	case SN_CANCEL_DAMAGED:
		return sn_dir_unlink(s->open, leaf_of(f));
	case SN_CANCEL_STALE:
		return sn_cancel_settle(s, f->name);
	case SN_OPEN_DAMAGED:
		return move_damaged(c, f);
	case SN_OPEN_UNLINKED:
		r = sn_recover_link(s, f->name, c->max_attempts);
		return r < 0 ? r : 0;
	case SN_FILE_MODE:
		return fchmodat(s->open, f->name, 0644, 0) < 0
			       ? -errno
			       : 0; /* seen to be a regular file of the ledger */
	case SN_HOLD_LINKED:
	case SN_NEW_LEFTOVER:
	case SN_NEW_DIFFERS:
	case SN_NEW_DOUBLE:
		return sn_dir_unlink(s->new, f->name);
	case SN_CUR_LEFTOVER:
	case SN_CUR_DIFFERS:
	case SN_CUR_TWICE:
		return sn_dir_unlink(s->cur, leaf_of(f));
	case SN_RESULT_LEFTOVER:
		return finish_retiring(c, f);
	default:
		return -ENOTSUP;
	}
}

/* The owner of open/ becomes that of the file. */
static int take_over(struct sn_check *c, const struct sn_finding *f)
{
	struct stat dir;

	if (fstat(c->shelf->s.open, &dir) < 0)
		return -errno;
	return fchownat(c->shelf->s.open, f->name, dir.st_uid, dir.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno
												    : 0;
}

int sn_check_repair(struct sn_check *c, const struct sn_finding *f)
{
	int r;

	switch (f->trouble) {
	case SN_LAYOUT_MISSING:
	case SN_LAYOUT_MODE:
	case SN_LAYOUT_OWNER:
		return sn_spool_make(c->spooldir, c->shelf->participant, &c->owner);
	case SN_FILE_OWNER:
		return take_over(c, f);
	default:
		break;
	}
	r = sn_role_enter(&c->shelf->s);
	if (r == 0)
		r = as_owner(c, f);
	sn_role_leave();
	return r;
}
