#include "spool/spool.h"

#include <fcntl.h>

#include "sys/dir.h"
#include "sys/fd.h"

struct opening {
	int *fd;
	int parent;
	const char *path;
};

/* Opens one directory and checks that it is on the spool's file system. */
static int open_one(struct sn_spool *s, const struct opening *o)
{
	struct stat st;
	int fd = sn_dir_open(o->parent, o->path);

	if (fd < 0)
		return fd;
	*o->fd = fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (o->fd == &s->open) {
		s->dev = st.st_dev;
		s->open_ino = st.st_ino;
	} else if (o->fd == &s->result) {
		s->result_ino = st.st_ino;
	}
	return st.st_dev == s->dev ? 0 : -EXDEV;
}

static int open_all(struct sn_spool *s, enum sn_spool_side side)
{
	const struct opening ledger[] = {
		{&s->done, s->root, "done"},
		{&s->failed, s->root, "failed"},
	};
	int r = open_one(s, &(struct opening){&s->open, s->root, "open"});

	if (r < 0)
		return r;
	for (size_t i = 0; side == SN_SPOOL_BRIDGE && i < SN_COUNT(ledger); i++) {
		r = open_one(s, &ledger[i]);
		if (r < 0)
			return r;
	}
	s->work = sn_dir_open(s->root, "work");
	if (s->work < 0)
		return s->work;
	const struct opening work[] = {
		{&s->cur, s->work, "cur"},
		{&s->result, s->work, "result"},
	};
	for (size_t i = 0; i < SN_COUNT(work); i++) {
		r = open_one(s, &work[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* On the participant's side its code runs in the same process: it gets lower numbers. Those that matter come first, there
 * may be few left. */
static void hide(struct sn_spool *s)
{
	int *const fds[] = {&s->open, &s->result, &s->root, &s->work, &s->cur};

	for (size_t i = 0; i < SN_COUNT(fds); i++)
		sn_fd_move_high(fds[i]);
}

int sn_spool_verify(const struct sn_spool *s)
{
	const struct sn_fd_id open = {s->dev, s->open_ino}, result = {s->dev, s->result_ino};

	return sn_fd_is(s->open, &open) && sn_fd_is(s->result, &result) ? 0 : -EBADF;
}

int sn_spool_open(struct sn_spool *s, int spooldir, const char *participant, enum sn_spool_side side)
{
	int r;

	*s = (struct sn_spool){.root = -1,
			       .open = -1,
			       .done = -1,
			       .failed = -1,
			       .work = -1,
			       .cur = -1,
			       .result = -1,
			       .journal = {.fd = -1},
			       .done_bucket = {.fd = -1, .kept = {.fd = -1}},
			       .failed_bucket = {.fd = -1, .kept = {.fd = -1}}};
	if (!sn_participant_valid(participant))
		return -EINVAL;
	/* The participant may enter the root of its spool, but not list it. */
	s->root = openat(spooldir, participant, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (s->root < 0)
		return -errno;
	sn_journal_name(s->kept_leaf);
	r = open_all(s, side);
	if (r < 0)
		sn_spool_release(s);
	else if (side == SN_SPOOL_WORK)
		hide(s);
	return r;
}

void sn_spool_release(struct sn_spool *s)
{
	int *const fds[] = {&s->root, &s->open,	  &s->done,	      &s->failed,	   &s->work,
			    &s->cur,  &s->result, &s->done_bucket.fd, &s->failed_bucket.fd};

	sn_journal_close(&s->journal);
	sn_journal_close(&s->done_bucket.kept);
	for (size_t i = 0; i < SN_COUNT(fds); i++) {
		if (*fds[i] >= 0)
			(void)close(*fds[i]); /* directories: nothing to flush */
		*fds[i] = -1;
	}
}

/* Is the bucket kept open the one asked for, and not removed (by a clean-up of old days) meanwhile? */
static bool is_current(const struct sn_bucket *b, const char *date, const char *leaf)
{
	struct stat st;

	return b->fd >= 0 && strcmp(date, b->date) == 0 && strcmp(leaf, b->bucket) == 0 &&
	       fstat(b->fd, &st) == 0 && st.st_nlink > 0;
}

/* dir/DATE/BUCKET, kept open until another is asked for. */
static int bucket(int dir, struct sn_bucket *b, const char *name)
{
	char date[SN_DATE_SIZE], leaf[SN_BUCKET_SIZE];
	SN_AUTOFD int day = -1;
	int fd;

	sn_name_bucket(name, date, leaf);
	if (is_current(b, date, leaf))
		return b->fd;
	day = sn_dir_make_open(dir, date, 0750);
	if (day < 0)
		return day;
	fd = sn_dir_make_open(day, leaf, 0750);
	if (fd < 0)
		return fd;
	if (b->fd >= 0)
		(void)close(b->fd); /* a directory: nothing to flush */
	sn_journal_close(&b->kept);
	b->fd = fd;
	memcpy(b->date, date, sizeof date);
	memcpy(b->bucket, leaf, sizeof leaf);
	return fd;
}

int sn_spool_done_dir(struct sn_spool *s, const char *name)
{
	return bucket(s->done, &s->done_bucket, name);
}

int sn_spool_failed_dir(struct sn_spool *s, const char *name)
{
	return bucket(s->failed, &s->failed_bucket, name);
}
