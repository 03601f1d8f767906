/* What sn_check_repair does for each trouble. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "spool/cancel.h"
#include "spool/claim.h"
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
		.log = "damaged: its bytes are not those that were delivered (spool-check)\n"};
	int r = sn_retire_keep(&c->shelf->s, &ret);

	return r < 0 ? r : sn_retire(&c->shelf->s, &ret);
}

/* All of retiring, into where the workitem is. What keeping is for: the result that work/result still has. */
static int finish_retiring(struct sn_check *c, const struct sn_finding *f)
{
	struct sn_result_file rf = {.text = SN_BUF((size_t)1 << 30)};
	struct sn_retirement ret = {.name = f->name};
	char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE];
	SN_AUTOFREE char *json = NULL;
	int r = sn_result_find(c->shelf->s.result, f->name, &rf);

	sn_name_bucket(f->name, date, bucket);
	json = sn_asprintf("%s/%s/%s.json", date, bucket, f->name);
	ret.failed = !sn_check_exists(c->shelf->s.done, json);
	if (r == 0) {
		ret.result = rf.text.data;
		ret.result_len = rf.text.len;
		r = sn_retire_keep(&c->shelf->s, &ret);
	}
	if (r == 0)
		r = sn_retire(&c->shelf->s, &ret);
	sn_result_release(&rf);
	return r;
}

static int remove_second_name(void *arg, const char *leaf)
{
	const int *dir = arg;
	struct stat st;

	/* Its only name: somebody else's file, or a workitem that is nowhere else. That stays, and so does the directory. */
	if (fstatat(*dir, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) || st.st_nlink < 2)
		return 0;
	return sn_dir_unlink(*dir, leaf);
}

static int remove_old_new(struct sn_spool *s)
{
	SN_AUTOFD int dir = sn_dir_open(s->work, "new");
	int r = dir < 0 ? dir : sn_dir_each(dir, remove_second_name, &dir);

	if (r == 0 && unlinkat(s->work, "new", AT_REMOVEDIR) < 0)
		r = -errno;
	return r;
}

/* Locked: who hears that the marker goes does not begin it. */
static int hold_anew(struct sn_spool *s, const struct sn_finding *f)
{
	SN_AUTOFD int fd = sn_claim_lock(s, f->name, true);
	int r = fd < 0 ? fd : sn_dir_unlink(s->open, leaf_of(f));

	if (r < 0)
		return r;
	return linkat(s->open, f->name, s->open, leaf_of(f), 0) < 0 ? -errno : 0;
}

static int as_owner(struct sn_check *c, const struct sn_finding *f)
{
	struct sn_spool *s = &c->shelf->s;

	switch (f->trouble) {
	case SN_OPEN_SHORT:
	case SN_HOLD_STALE:
	case SN_AGAIN_STALE: /* that it goes tells exo */
	case SN_CANCEL_DAMAGED:
		return sn_dir_unlink(s->open, leaf_of(f));
	case SN_CANCEL_STALE:
		return sn_cancel_settle(s, f->name);
	case SN_OPEN_DAMAGED:
		return move_damaged(c, f);
	case SN_FILE_MODE:
		return fchmodat(s->open, f->name, 0644, 0) < 0
			       ? -errno
			       : 0; /* seen to be a regular file of the ledger */
	case SN_HOLD_OTHER:
		return hold_anew(s, f);
	case SN_OLD_NEW:
		return remove_old_new(s);
	case SN_CUR_LEFTOVER:
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
	case SN_LAYOUT_ACL:
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
