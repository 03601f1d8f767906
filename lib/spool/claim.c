#include "spool/claim.h"

#include <fcntl.h>
#include <sys/file.h>

#include "base/fail.h"
#include "sys/dir.h"
#include "sys/lock.h"

static bool exists(int dir, const char *leaf)
{
	return faccessat(dir, leaf, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int open_file(const struct sn_spool *s, const char *name, int flags)
{
	int fd = openat(s->open, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | flags);

	return fd < 0 ? -errno : fd;
}

/* Is it still where it was? Who took it away held the lock meanwhile. */
static int look(const struct sn_spool *s, const char *name, struct stat *ret)
{
	return fstatat(s->open, name, ret, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

int sn_claim_lock(const struct sn_spool *s, const char *name, bool wait)
{
	SN_AUTOFD int fd = open_file(s, name, 0);
	struct stat st;
	int r = fd < 0 ? fd : 0;

	if (r == 0 && wait)
		r = sn_lock_now(fd);
	else if (r == 0)
		r = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	if (r == 0)
		r = look(s, name, &st);
	return r < 0 ? r : sn_fd_steal(&fd);
}

bool sn_claim_held(const struct sn_spool *s, const char *name)
{
	char leaf[SN_ATTEMPT_SIZE];

	sn_mark_format(name, SN_MARK_HOLD, leaf);
	return exists(s->open, leaf);
}

/* The first read would set the atime: a journalled change of the inode for nobody. Only the owner may go without. */
static int open_to_read(struct sn_spool *s, const char *name)
{
	int fd = open_file(s, name, s->foreign ? 0 : O_NOATIME);

	if (fd != -EPERM || s->foreign)
		return fd;
	s->foreign = true;
	return open_file(s, name, 0);
}

int sn_claim(struct sn_spool *s, const char *name, struct stat *ret)
{
	int r = SN_FAIL("claim.1");
	SN_AUTOFD int fd = r < 0 ? r : open_to_read(s, name);

	r = fd < 0 ? fd : sn_lock_now(fd);
	if (r == 0)
		r = look(s, name, ret);
	/* The marker is a second name of the file: looking for what is not there is dear, so it is done only where there is one. */
	if (r == 0 && ret->st_nlink > 1 && sn_claim_held(s, name))
		r = -ENOENT;
	return r < 0 ? r : sn_fd_steal(&fd);
}

int sn_claimed(const struct sn_spool *s, const char *name)
{
	SN_AUTOFD int fd = open_file(s, name, 0);

	if (fd < 0)
		return fd;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? 1 : -errno;
}

int sn_claim_note(struct sn_spool *s, const char *name, unsigned attempt)
{
	char leaf[SN_ATTEMPT_SIZE], target[SN_NAME_SIZE + 16];
	int r = SN_FAIL("claim.3");

	if (r < 0)
		return r;
	sn_attempt_format(name, attempt, leaf);
	(void)stpcpy(stpcpy(target, "../../open/"), name); /* fits; for people: nothing of ours follows it */
	return symlinkat(target, s->cur, leaf) < 0 && errno != EEXIST ? -errno : 0;
}

unsigned sn_claim_noted(const struct sn_spool *s, const char *name, unsigned max_attempts)
{
	char leaf[SN_ATTEMPT_SIZE];

	for (unsigned a = max_attempts < SN_ATTEMPT_MAX ? max_attempts + 1 : SN_ATTEMPT_MAX; a > 0; a--) {
		sn_attempt_format(name, a, leaf);
		if (exists(s->cur, leaf))
			return a;
	}
	return 0;
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
	if (renameat(s->cur, from, s->cur, to) == 0)
		return 0;
	return errno == ENOENT ? sn_claim_note(s, name, attempt + 1) : -errno;
}

int sn_claim_uncount(struct sn_spool *s, const char *name, unsigned attempt)
{
	char from[SN_ATTEMPT_SIZE], to[SN_ATTEMPT_SIZE];
	int r = SN_FAIL("claim.4");

	if (r < 0)
		return r;
	sn_attempt_format(name, attempt, from);
	if (attempt <= 1)
		return unlinkat(s->cur, from, 0) < 0 ? -errno : 0;
	sn_attempt_format(name, attempt - 1, to);
	return renameat(s->cur, from, s->cur, to) < 0 ? -errno : 0;
}

int sn_claim_forget(struct sn_spool *s, const char *name, unsigned attempt)
{
	char leaf[SN_ATTEMPT_SIZE];
	int r = SN_FAIL("claim.5");

	if (r < 0)
		return r;
	sn_attempt_format(name, attempt, leaf);
	return sn_dir_unlink(s->cur, leaf);
}
