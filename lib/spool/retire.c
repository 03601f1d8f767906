#include "spool/retire.h"

#include <fcntl.h>

#include "base/fail.h"
#include "spool/result.h"
#include "sys/dir.h"

enum { LEAF_SIZE = SN_NAME_SIZE + 8 };

/* The copy that is there: of a crash in this step, perhaps short; else it is what was sent, and stays. */
static int keep_again(int dir, const char *leaf, const struct sn_retirement *r)
{
	struct sn_result_file old = {.text = SN_BUF((size_t)1 << 31)};
	int err = sn_dir_read(dir, leaf, &old.text);

	if (err == 0)
		err = sn_result_verify(&old);
	sn_result_release(&old);
	if (err == 0)
		return 0;
	err = sn_dir_unlink(dir, leaf);
	return err < 0 ? err : sn_dir_create(dir, leaf, r->result, r->result_len);
}

/* What a person will look at: files of its own. */
static int keep_failed(struct sn_spool *s, const struct sn_retirement *r)
{
	char leaf[LEAF_SIZE];
	int dir = sn_spool_failed_dir(s, r->name), err = 0;

	if (dir < 0)
		return dir;
	if (r->result != NULL) {
		(void)stpcpy(stpcpy(leaf, r->name), ".result"); /* fits */
		err = sn_dir_create(dir, leaf, r->result, r->result_len);
		if (err == -EEXIST)
			err = keep_again(dir, leaf, r);
	}
	if (err == 0 && r->log != NULL) {
		(void)stpcpy(stpcpy(leaf, r->name), ".log");
		err = sn_dir_create(dir, leaf, r->log, strlen(r->log));
	}
	return err == -EEXIST ? 0 : err;
}

/* In the bucket of `name`. */
static int keep_done(struct sn_spool *s, const char *name, const struct sn_journal_text *records,
		     size_t count)
{
	int dir = sn_spool_done_dir(s, name), err;
	struct sn_journal *kept = &s->done_bucket.kept;

	if (dir < 0)
		return dir;
	err = sn_journal_append(kept, records, count);
	if (err == -ESTALE) {
		err = sn_journal_open(kept, dir, s->kept_leaf);
		if (err == 0)
			err = sn_journal_append(kept, records, count);
	}
	if (err < 0 && kept->fd < 0) /* perhaps half a record: what we appended to it could not be found */
		sn_journal_name(s->kept_leaf);
	return err;
}

static bool same_bucket(const char *a, const char *b)
{
	char date[2][SN_DATE_SIZE], bucket[2][SN_BUCKET_SIZE];

	sn_name_bucket(a, date[0], bucket[0]);
	sn_name_bucket(b, date[1], bucket[1]);
	return strcmp(bucket[0], bucket[1]) == 0 && strcmp(date[0], date[1]) == 0;
}

int sn_retire_keep_first(struct sn_spool *s, const struct sn_retirement *r, size_t count)
{
	struct sn_journal_text records[SN_JOURNAL_AT_ONCE];
	size_t n = 0;
	int err = SN_FAIL("retire.1");

	if (err < 0)
		return err;
	for (; n < count && n < SN_JOURNAL_AT_ONCE && same_bucket(r[0].name, r[n].name); n++)
		records[n] = (struct sn_journal_text){.head = r[n].result, .head_len = r[n].result_len};
	err = keep_done(s, r[0].name, records, n);
	return err < 0 ? err : (int)n;
}

int sn_retire_keep(struct sn_spool *s, const struct sn_retirement *r)
{
	const struct sn_journal_text record = {.head = r->result, .head_len = r->result_len};
	int err = sn_name_valid(r->name) ? SN_FAIL("retire.1") : -EINVAL;

	if (err < 0)
		return err;
	if (r->failed)
		return keep_failed(s, r);
	return r->result != NULL ? keep_done(s, r->name, &record, 1) : 0;
}

int sn_retire(struct sn_spool *s, const struct sn_retirement *r)
{
	char leaf[LEAF_SIZE];
	int dir, err = sn_name_valid(r->name) ? SN_FAIL("retire.2") : -EINVAL;

	if (err < 0)
		return err;
	dir = r->failed ? sn_spool_failed_dir(s, r->name) : sn_spool_done_dir(s, r->name);
	if (dir < 0)
		return dir;
	(void)stpcpy(stpcpy(leaf, r->name), ".json"); /* fits: SN_NAME_MAX */
	if (renameat(s->open, r->name, dir, leaf) == 0)
		return 0;
	if (errno != ENOENT)
		return -errno;
	return faccessat(dir, leaf, F_OK, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0; /* done before a crash */
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
