#include "spool/retire.h"

#include <fcntl.h>

#include "base/fail.h"
#include "spool/result.h"
#include "sys/dir.h"

struct leaves { /* the names in done/DATE/BUCKET */
	char json[SN_NAME_SIZE + 8], result[SN_NAME_SIZE + 8], log[SN_NAME_SIZE + 8];
};

static void leaves_init(struct leaves *l, const char *name)
{
	(void)stpcpy(stpcpy(l->json, name), ".json"); /* all fit: SN_NAME_MAX */
	(void)stpcpy(stpcpy(l->result, name), ".result");
	(void)stpcpy(stpcpy(l->log, name), ".log");
}

/* retire.1 */
static int move_workitem(struct sn_spool *s, int dir, const struct leaves *l, const char *name)
{
	int r = SN_FAIL("retire.1");

	if (r < 0)
		return r;
	if (renameat(s->open, name, dir, l->json) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	return faccessat(dir, l->json, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0; /* done before a crash */
}

/* retire.2: the attempt that answered; when the result does not say (or lies), all that there may be. */
static int clear_work(struct sn_spool *s, const struct sn_retirement *r)
{
	char leaf[SN_ATTEMPT_SIZE];
	int err = SN_FAIL("retire.2");

	if (err < 0)
		return err;
	sn_attempt_format(r->name, r->attempt > 0 ? r->attempt : 1, leaf);
	if (unlinkat(s->cur, leaf, 0) < 0) {
		for (unsigned a = 1; a <= r->max_attempts + 1; a++) {
			sn_attempt_format(r->name, a, leaf);
			err = sn_dir_unlink(s->cur, leaf);
			if (err < 0 && err != -EISDIR && err != -EPERM)
				return err;
		}
	}
	err = sn_dir_unlink(s->new, r->name); /* linked in again by reconcile, or never claimed */
	return err == -EISDIR || err == -EPERM
		       ? 0
		       : err; /* a planted directory is the participant's own affair */
}

/* retire.3 and retire.4 in one */
static int move_result(struct sn_spool *s, int dir, const struct leaves *l, const struct sn_retirement *r)
{
	if (renameat(s->result, r->name, dir, l->result) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	return faccessat(dir, l->result, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? -errno
									: 0; /* done before a crash */
}

/* The copy that is there: of a crash in this step, perhaps short; else it is what was sent, and stays, whatever the
 * participant has written since. */
static int keep_again(int dir, const struct leaves *l, const struct sn_retirement *r)
{
	struct sn_result_file old = {.text = SN_BUF((size_t)1 << 31)};
	int err = sn_dir_read(dir, l->result, &old.text);

	if (err == 0)
		err = sn_result_verify(&old);
	sn_result_release(&old);
	if (err == 0)
		return 0;
	err = sn_dir_unlink(dir, l->result);
	return err < 0 ? err : sn_dir_create(dir, l->result, r->result, r->result_len);
}

/* retire.3 */
static int keep_result(struct sn_spool *s, int dir, const struct leaves *l, const struct sn_retirement *r)
{
	int err = SN_FAIL("retire.3");

	if (err < 0)
		return err;
	if (r->result != NULL && r->move) {
		err = move_result(s, dir, l, r);
	} else if (r->result != NULL) {
		err = sn_dir_create(dir, l->result, r->result, r->result_len);
		if (err == -EEXIST)
			err = keep_again(dir, l, r);
	}
	if (err == 0 && r->log != NULL) {
		err = sn_dir_create(dir, l->log, r->log, strlen(r->log));
		if (err == -EEXIST)
			err = 0;
	}
	return err;
}

/* retire.4. The participant's file is not freed but left for its next result: on ext4 an inode that was freed a moment
 * ago makes every new one in that group slower, and a rename over another file has its bytes written to the disk at once
 * (docs/PERFORMANCE.md). */
static int clear_result(struct sn_spool *s, const struct sn_retirement *r)
{
	char spare[SN_SPARE_SIZE];
	int err;

	for (int i = 0; i < SN_SPARE_TRIES && r->result_len <= SN_SPARE_BYTES; i++) {
		sn_spare_next(s, spare);
		if (renameat2(s->result, r->name, s->tmp, spare, RENAME_NOREPLACE) == 0 || errno == ENOENT)
			return 0;
	}
	err = sn_dir_unlink(s->result, r->name);
	return err == -EISDIR || err == -EPERM ? 0 : err;
}

int sn_retire(struct sn_spool *s, const struct sn_retirement *r)
{
	struct leaves l;
	int dir, err;

	if (!sn_name_valid(r->name))
		return -EINVAL;
	leaves_init(&l, r->name);
	dir = r->failed ? sn_spool_failed_dir(s, r->name) : sn_spool_done_dir(s, r->name);
	if (dir < 0)
		return dir;
	if ((err = move_workitem(s, dir, &l, r->name)) < 0 || (err = clear_work(s, r)) < 0 ||
	    (err = keep_result(s, dir, &l, r)) < 0 || (err = SN_FAIL("retire.4")) < 0)
		return err;
	return r->result == NULL || r->move ? 0 : clear_result(s, r);
}

static bool exists(int dir, const char *name)
{
	char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE], path[SN_NAME_SIZE + 32];

	sn_name_bucket(name, date, bucket);
	(void)snprintf(path, sizeof path, "%s/%s/%s.json", date, bucket, name); /* fits; valid names only */
	return faccessat(dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int sn_retired(struct sn_spool *s, const char *name)
{
	if (!sn_name_valid(name))
		return -EINVAL;
	return exists(s->done, name) || exists(s->failed, name);
}
