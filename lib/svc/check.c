/* The table of troubles, the layout, and the ledger. */
#include "svc/check.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "data/digest.h"
#include "spool/cancel.h"
#include "spool/claim.h"
#include "spool/recover.h"
#include "spool/retire.h"
#include "sys/dir.h"
#include "sys/posix_acl.h"

enum { PAUSE_US = 200000, PAUSES_MAX = 25 };

static const struct sn_trouble_kind KINDS[SN_TROUBLES] = {
	[SN_LAYOUT_MISSING] = {"layout-missing", "a directory of the spool is missing", "make it",
			       SN_FIX_SAFE},
	[SN_LAYOUT_KIND] = {"layout-kind", "no directory, where one must be", NULL, SN_FIX_NONE},
	[SN_LAYOUT_MODE] = {"layout-mode", "a directory has another mode than docs/SPOOL.md says", "set it",
			    SN_FIX_SAFE},
	[SN_LAYOUT_OWNER] = {"layout-owner", "a directory has another owner or group", "set them",
			     SN_FIX_SAFE},
	[SN_LAYOUT_ACL] = {"layout-acl", "group adm cannot read it, or somebody can who should not", "set it",
			   SN_FIX_SAFE},
	[SN_LAYOUT_DEVICE] = {"layout-device",
			      "a directory is on another file system: nothing can be moved there", NULL,
			      SN_FIX_NONE},
	[SN_FOREIGN] = {"foreign", "nothing in a spool has such a name here", NULL, SN_FIX_NONE},
	[SN_OLD_NEW] = {"foreign", "second names that nobody uses any more, of an older version",
			"remove them", SN_FIX_SAFE},
	[SN_OPEN_KIND] = {"open-kind", "no regular file in the ledger", NULL, SN_FIX_NONE},
	[SN_OPEN_SHORT] = {"open-short",
			   "empty: cut short when it was stored, and never acknowledged: the broker has it",
			   "remove it", SN_FIX_BRIDGE},
	[SN_OPEN_DAMAGED] = {"open-damaged", "its bytes are not those that were delivered",
			     "move it to failed/", SN_FIX_BRIDGE},
	[SN_OPEN_FINISHED] = {"open-finished", "open and finished at once", NULL, SN_FIX_NONE},
	[SN_FILE_MODE] = {"file-mode", "the participant cannot read it, or somebody may change it",
			  "chmod 644", SN_FIX_SAFE},
	[SN_FILE_OWNER] = {"file-owner", "not the spool's owner's, who alone may change it", "chown",
			   SN_FIX_SAFE},
	[SN_HOLD_STALE] = {"hold-stale", "holds a workitem that is not open", "remove it", SN_FIX_SAFE},
	[SN_HOLD_OTHER] = {"hold-other", "no second name of the workitem: a worker may begin it",
			   "hold it anew", SN_FIX_SAFE},
	[SN_AGAIN_STALE] = {"again-stale", "the bridge ended before exo was told to run the workitem again",
			    "tell it", SN_FIX_BRIDGE},
	[SN_CANCEL_STALE] = {"cancel-stale", "marks a workitem that is not open as cancelled",
			     "move it to where the workitem is, or remove it", SN_FIX_BRIDGE},
	[SN_CANCEL_DAMAGED] = {"cancel-damaged", "a cancel item that was cut short when it was stored",
			       "remove it", SN_FIX_BRIDGE},
	[SN_CUR_LEFTOVER] = {"cur-leftover", "notes an attempt of a workitem that is not open", "remove it",
			     SN_FIX_EXO},
	[SN_CUR_TWICE] = {"cur-twice", "a later attempt of the same workitem is noted", "remove it",
			  SN_FIX_EXO},
	[SN_RESULT_LEFTOVER] = {"result-leftover", "finished, and what was answered is not kept: it is out",
				"keep it", SN_FIX_BRIDGE},
	[SN_RESULT_ORPHAN] = {"result-orphan", "a reply to nothing in the ledger: it will not be sent", NULL,
			      SN_FIX_NONE},
	[SN_RESULT_BAD] = {"result-bad", "no result that the bridge can send, or no journal of results", NULL,
			   SN_FIX_NONE},
	[SN_DONE_BUCKET] = {"done-bucket", "in the directory of another day or minute: it is not found there",
			    NULL, SN_FIX_NONE},
	[SN_DONE_ALONE] = {"done-alone", "its workitem is missing", NULL, SN_FIX_NONE},
	[SN_DONE_DAMAGED] = {"done-damaged", "its bytes are not those that were delivered", NULL,
			     SN_FIX_NONE},
	[SN_DONE_RESULT] = {"done-result", "a reply that was kept, or the journal of such, is damaged", NULL,
			    SN_FIX_NONE},
};

const struct sn_trouble_kind *sn_trouble_kind(enum sn_trouble t)
{
	return &KINDS[t];
}

void sn_check_report(struct sn_check *c, enum sn_trouble trouble, const char *dir, const char *leaf)
{
	SN_AUTOFREE char *path =
		sn_asprintf("%s%s%s", dir, dir[0] != '\0' && leaf[0] != '\0' ? "/" : "", leaf);
	struct sn_finding f = {.trouble = trouble, .path = path};
	size_t len = strcspn(leaf, ",");

	if (sn_cancel_parse(leaf, f.name) == SN_CANCEL_OTHER && !sn_mark_parse(leaf, SN_MARK_HOLD, f.name) &&
	    !sn_mark_parse(leaf, SN_MARK_AGAIN, f.name) && len <= SN_NAME_MAX) {
		memcpy(f.name, leaf, len);
		f.name[len] = '\0';
	}
	if (!sn_name_valid(f.name))
		f.name[0] = '\0';
	if (sn_attempt_parse(leaf, f.name, &f.attempt) < 0)
		f.attempt = 0;
	c->found(c->arg, c, &f);
}

void sn_check_report_record(struct sn_check *c, enum sn_trouble trouble, const char *dir, const char *leaf,
			    const char *name)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/%s", dir, leaf);
	struct sn_finding f = {.trouble = trouble, .path = path};

	sn_copy_text(f.name, sizeof f.name, name);
	c->found(c->arg, c, &f);
}

enum sn_standing sn_check_standing(const struct sn_check *c, const char *name)
{
	struct sn_spool *s = &c->shelf->s;

	/* In this order: retiring goes from open/ to done/ in one step. */
	if (sn_check_exists(s->open, name))
		return SN_STANDS_OPEN;
	return sn_retired(s, name) == 1 ? SN_STANDS_FINISHED : SN_STANDS_UNKNOWN;
}

void sn_check_pause(struct sn_check *c)
{
	/* Many findings are no step in progress: the first ones have waited long enough for all. */
	if (c->bridge_runs || c->exo_runs)
		(void)usleep(c->pauses++ < PAUSES_MAX ? PAUSE_US
						      : PAUSE_US / 100); /* cut short: it looks earlier */
}

bool sn_check_exists(int dir, const char *leaf)
{
	return faccessat(dir, leaf, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* -- layout */

/* Also if there can be none. */
static bool acl_is_right(int root, const char *path, gid_t adm)
{
	SN_AUTOFD int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	char text[SN_SPOOL_ACL_SIZE];

	sn_spool_acl(adm, text);
	return fd < 0 || sn_acl_is(fd, text) != 0;
}

/* Returns 1 if this directory is not there to be looked into. */
static int check_directory(struct sn_check *c, int root, const struct sn_spool_layout *row, dev_t dev)
{
	gid_t group = sn_spool_group(&c->owner, row->group);
	struct stat st;

	if (fstatat(root, row->path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return -errno;
		sn_check_report(c, SN_LAYOUT_MISSING, row->path, "");
		return fstatat(root, row->path, &st, AT_SYMLINK_NOFOLLOW) < 0; /* repaired? */
	}
	if (!S_ISDIR(st.st_mode)) {
		sn_check_report(c, SN_LAYOUT_KIND, row->path, "");
		return 1;
	}
	if (st.st_dev != dev) {
		sn_check_report(c, SN_LAYOUT_DEVICE, row->path, "");
		return 1;
	}
	if ((c->owner.skynet != (uid_t)-1 && st.st_uid != c->owner.skynet) ||
	    (group != (gid_t)-1 && st.st_gid != group))
		sn_check_report(c, SN_LAYOUT_OWNER, row->path, "");
	if ((st.st_mode & 07777) != row->mode)
		sn_check_report(c, SN_LAYOUT_MODE, row->path, "");
	if (row->adm_too && c->owner.adm != (gid_t)-1 && !acl_is_right(root, row->path, c->owner.adm))
		sn_check_report(c, SN_LAYOUT_ACL, row->path, "");
	return 0;
}

int sn_check_layout(struct sn_check *c)
{
	SN_AUTOFD int root =
		openat(c->spooldir, c->shelf->participant, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const struct sn_spool_layout *rows;
	struct stat st;
	size_t count;
	int unusable = 0;

	if (root < 0 || fstat(root, &st) < 0)
		return -errno;
	rows = sn_spool_layout(&count);
	for (size_t i = 0; i < count; i++) {
		int r = check_directory(c, root, &rows[i], st.st_dev);

		if (r < 0)
			return r;
		unusable |= r;
	}
	return unusable;
}

/* -- the ledger */

static void check_file(struct sn_check *c, const char *name, const struct stat *st)
{
	struct stat dir;

	if ((st->st_mode & 07777) != 0644)
		sn_check_report(c, SN_FILE_MODE, "open", name);
	if (fstat(c->shelf->s.open, &dir) == 0 && st->st_uid != dir.st_uid)
		sn_check_report(c, SN_FILE_OWNER, "open", name);
}

static void check_ledger(struct sn_check *c, const char *name)
{
	struct sn_spool *s = &c->shelf->s;
	int r = sn_recover_check(s, name);

	if (r == -ENODATA || r == -EBADMSG) {
		sn_check_pause(c); /* it may be on its way in */
		r = sn_recover_check(s, name);
	}
	if (r == -ENODATA || r == -EBADMSG)
		sn_check_report(c, r == -ENODATA ? SN_OPEN_SHORT : SN_OPEN_DAMAGED, "open", name);
	else if (sn_retired(s, name) == 1 && sn_check_exists(s->open, name))
		sn_check_report(c, SN_OPEN_FINISHED, "open", name);
}

/* A cancel item or a marker. */
static bool cancel_trouble(struct sn_check *c, const char *leaf, enum sn_trouble *ret)
{
	const struct sn_spool *s = &c->shelf->s;
	struct sn_buf b = SN_BUF((size_t)1 << 30);
	char name[SN_NAME_SIZE];
	bool found = false;

	if (sn_cancel_parse(leaf, name) == SN_CANCEL_MARK) {
		*ret = SN_CANCEL_STALE;
		return !sn_check_exists(s->open, name) && sn_check_exists(s->open, leaf);
	}
	*ret = SN_CANCEL_DAMAGED;
	if (sn_claimed(s, leaf) == 1) /* it is being written */
		return false;
	if (sn_dir_read(s->open, leaf, &b) == 0) /* else it was decided meanwhile */
		found = sn_digest_short(b.data != NULL ? b.data : "", b.len) != sn_name_digest(name);
	sn_buf_release(&b);
	return found;
}

static void check_cancel(struct sn_check *c, const char *leaf)
{
	enum sn_trouble t;

	if (!cancel_trouble(c, leaf, &t))
		return;
	sn_check_pause(c); /* it may be being written; the bridge retires first, then moves the marker */
	if (cancel_trouble(c, leaf, &t))
		sn_check_report(c, t, "open", leaf);
}

/* A marker of an older version, or of a person's, is a file of its own. */
static void check_hold(struct sn_check *c, const char *leaf, const char *name)
{
	const int open = c->shelf->s.open;
	struct stat marker, workitem;

	if (!sn_check_exists(open, name))
		sn_check_report(c, SN_HOLD_STALE, "open", leaf);
	else if (fstatat(open, leaf, &marker, AT_SYMLINK_NOFOLLOW) == 0 &&
		 fstatat(open, name, &workitem, AT_SYMLINK_NOFOLLOW) == 0 && marker.st_ino != workitem.st_ino)
		sn_check_report(c, SN_HOLD_OTHER, "open", leaf);
}

/* It is there for a moment only. */
static void check_again(struct sn_check *c, const char *leaf)
{
	sn_check_pause(c);
	if (sn_check_exists(c->shelf->s.open, leaf))
		sn_check_report(c, SN_AGAIN_STALE, "open", leaf);
}

static int check_entry(void *arg, const char *leaf)
{
	struct sn_check *c = arg;
	char name[SN_NAME_SIZE];
	struct stat st;

	if (sn_mark_parse(leaf, SN_MARK_HOLD, name)) {
		check_hold(c, leaf, name);
	} else if (sn_mark_parse(leaf, SN_MARK_AGAIN, name)) {
		check_again(c, leaf);
	} else if (sn_cancel_parse(leaf, name) != SN_CANCEL_OTHER) {
		check_cancel(c, leaf);
	} else if (!sn_name_valid(leaf)) {
		sn_check_report(c, SN_FOREIGN, "open", leaf);
	} else if (fstatat(c->shelf->s.open, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		return errno == ENOENT ? 0 : -errno; /* retired meanwhile */
	} else if (!S_ISREG(st.st_mode)) {
		sn_check_report(c, SN_OPEN_KIND, "open", leaf);
	} else {
		check_file(c, leaf, &st);
		check_ledger(c, leaf);
	}
	return 0;
}

int sn_check_open(struct sn_check *c)
{
	return sn_dir_each(c->shelf->s.open, check_entry, c);
}
