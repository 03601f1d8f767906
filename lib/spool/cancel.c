#include "spool/cancel.h"

#include <fcntl.h>

#include "base/fail.h"
#include "spool/claim.h"
#include "sys/dir.h"
#include "sys/fd.h"
#include "sys/lock.h"

static const char *const SUFFIXES[SN_CANCEL_LEAVES] = {
	[SN_CANCEL_OTHER] = "",
	[SN_CANCEL_ITEM] = ".cancel",
	[SN_CANCEL_TELL] = ".tell",
	[SN_CANCEL_MARK] = ".cancelled",
};

enum sn_cancel_leaf sn_cancel_parse(const char *leaf, char ret_name[SN_NAME_SIZE])
{
	const char *dot = strrchr(leaf, '.');
	char name[SN_NAME_SIZE];
	int kind = SN_CANCEL_ITEM;

	/* A name has a dot of its own: this is about what stands behind the whole of it. */
	if (dot == NULL || (size_t)(dot - leaf) > SN_NAME_MAX)
		return SN_CANCEL_OTHER;
	while (kind < SN_CANCEL_LEAVES && strcmp(dot, SUFFIXES[kind]) != 0)
		kind++;
	if (kind == SN_CANCEL_LEAVES)
		return SN_CANCEL_OTHER;
	memcpy(name, leaf, (size_t)(dot - leaf));
	name[dot - leaf] = '\0';
	if (!sn_name_valid(name))
		return SN_CANCEL_OTHER;
	memcpy(ret_name, name, sizeof name);
	return (enum sn_cancel_leaf)kind;
}

void sn_cancel_format(const char *name, enum sn_cancel_leaf kind, char ret_leaf[SN_CANCEL_LEAF_SIZE])
{
	(void)snprintf(ret_leaf, SN_CANCEL_LEAF_SIZE, "%s%s", name, SUFFIXES[kind]); /* fits */
}

static bool exists(int dir, const char *leaf)
{
	return faccessat(dir, leaf, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Locked until it is whole: a bridge that starts takes away what is not. -ESTALE: it did, in the instant before the lock. One
 * that runs may file it as soon as it is whole, which is a rename. */
static int write_locked(const struct sn_spool *s, const char *leaf, const void *body, size_t len)
{
	SN_AUTOFD int fd = openat(s->open, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	struct stat st;
	int r;

	if (fd < 0)
		return -errno;
	(void)!sn_lock_now(fd); /* not to be had: somebody keeps it locked, who may only read there */
	r = sn_fd_write_all(fd, body, len);
	if (r < 0)
		(void)unlinkat(s->open, leaf, 0); /* the write error is what matters */
	else if (fstat(fd, &st) == 0 && st.st_nlink == 0)
		r = -ESTALE;
	return r;
}

int sn_cancel_store(struct sn_spool *s, char name[SN_NAME_SIZE], const void *body, size_t len)
{
	char leaf[SN_CANCEL_LEAF_SIZE];
	int r = sn_name_valid(name) ? SN_FAIL("cancel.1") : -EINVAL;

	if (r < 0)
		return r;
	do {
		sn_cancel_format(name, SN_CANCEL_ITEM, leaf);
		r = write_locked(s, leaf, body, len);
	} while (r == -ESTALE || (r == -EEXIST && sn_name_next_seq(name) == 0));
	return r;
}

void sn_cancel_ring(struct sn_spool *s, const char *name)
{
	char leaf[SN_CANCEL_LEAF_SIZE];

	sn_cancel_format(name, SN_CANCEL_ITEM, leaf);
	(void)!sn_dir_create(s->result, leaf, "", 0); /* unheard: the bridge looks every 30 s */
}

int sn_cancel_mark(struct sn_spool *s, const char *name, const char *by)
{
	char leaf[SN_CANCEL_LEAF_SIZE];
	int r = sn_name_valid(name) ? SN_FAIL("cancel.2") : -EINVAL;

	if (r < 0)
		return r;
	sn_cancel_format(name, SN_CANCEL_MARK, leaf);
	r = sn_dir_create(s->open, leaf, by, strlen(by));
	return r == -EEXIST ? 1 : r;
}

int sn_cancel_marked(const struct sn_spool *s, const char *name)
{
	char leaf[SN_CANCEL_LEAF_SIZE];

	sn_cancel_format(name, SN_CANCEL_MARK, leaf);
	return exists(s->open, leaf);
}

/* To where it stays. */
static int file_item(struct sn_spool *s, const char *name, enum sn_cancel_leaf from)
{
	char leaf[SN_CANCEL_LEAF_SIZE], filed[SN_CANCEL_LEAF_SIZE];
	int dir = sn_spool_done_dir(s, name);

	if (dir < 0)
		return dir;
	sn_cancel_format(name, from, leaf);
	sn_cancel_format(name, SN_CANCEL_ITEM, filed);
	return renameat(s->open, leaf, dir, filed) < 0 ? -errno : 0;
}

int sn_cancel_decided(struct sn_spool *s, const char *name, bool tell)
{
	char from[SN_CANCEL_LEAF_SIZE], to[SN_CANCEL_LEAF_SIZE];
	int r = SN_FAIL("cancel.3");

	if (r < 0)
		return r;
	if (!tell)
		return file_item(s, name, SN_CANCEL_ITEM);
	sn_cancel_format(name, SN_CANCEL_ITEM, from);
	sn_cancel_format(name, SN_CANCEL_TELL, to);
	return renameat(s->open, from, s->open, to) < 0 ? -errno : 0;
}

int sn_cancel_withdraw(const struct sn_spool *s, const char *name)
{
	int r = SN_FAIL("cancel.4");

	return r < 0 ? r : sn_claim_lock(s, name, false);
}

/* done/ or failed/, where NAME.json is; -ENOENT. */
static int finished_dir(struct sn_spool *s, const char *name)
{
	char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE], path[SN_NAME_SIZE + 32];

	sn_name_bucket(name, date, bucket);
	(void)snprintf(path, sizeof path, "%s/%s/%s.json", date, bucket, name); /* fits; valid names only */
	if (exists(s->done, path))
		return sn_spool_done_dir(s, name);
	return exists(s->failed, path) ? sn_spool_failed_dir(s, name) : -ENOENT;
}

int sn_cancel_settle(struct sn_spool *s, const char *name)
{
	char leaf[SN_CANCEL_LEAF_SIZE];
	int dir, r = SN_FAIL("cancel.6");

	if (r < 0)
		return r;
	if (exists(s->open, name))
		return -EBUSY;
	sn_cancel_format(name, SN_CANCEL_MARK, leaf);
	dir = finished_dir(s, name);
	if (dir == -ENOENT)
		return sn_dir_unlink(s->open, leaf);
	if (dir < 0)
		return dir;
	return renameat(s->open, leaf, dir, leaf) < 0 && errno != ENOENT ? -errno : 0;
}

int sn_cancel_told(struct sn_spool *s, const char *name)
{
	int r = SN_FAIL("cancel.7");

	return r < 0 ? r : file_item(s, name, SN_CANCEL_TELL);
}
