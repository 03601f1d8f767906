#include "spool/journal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "sys/dir.h"
#include "sys/fd.h"

/* ---- writing ----------------------------------------------------------- */

void sn_journal_name(char ret_leaf[SN_JOURNAL_SIZE])
{
	char t[SN_TIME_TEXT_SIZE];

	sn_time_format(sn_clock_real_us(), t); /* 2026-11-22T10:54:43.865116Z */
	(void)snprintf(ret_leaf, SN_JOURNAL_SIZE, "%.4s%.2s%.5s%.2s%.9s-%u" SN_JOURNAL_SUFFIX, t, t + 5,
		       t + 8, t + 14, t + 17, (unsigned)getpid()); /* fits */
}

bool sn_journal_valid(const char *leaf)
{
	static const char SHAPE[] = "00000000T000000.000000-";
	size_t at = 0, digits;

	for (; SHAPE[at] != '\0'; at++) {
		if (SHAPE[at] == '0' ? leaf[at] < '0' || leaf[at] > '9' : leaf[at] != SHAPE[at])
			return false;
	}
	digits = strspn(leaf + at, "0123456789");
	return digits >= 1 && digits <= 10 && strcmp(leaf + at + digits, SN_JOURNAL_SUFFIX) == 0;
}

static bool is_open(const struct sn_journal *j, struct stat *ret)
{
	return j->fd >= 0 && fstat(j->fd, ret) == 0 && ret->st_dev == j->dev && ret->st_ino == j->ino;
}

void sn_journal_close(struct sn_journal *j)
{
	struct stat st;

	if (is_open(j, &st))
		(void)close(j->fd); /* each record was written when it was appended */
	j->fd = -1;
}

int sn_journal_open(struct sn_journal *j, int dir, const char *leaf)
{
	const int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	SN_AUTOFD int fd = sn_leaf_valid(leaf) ? openat(dir, leaf, flags, 0644) : -1;
	struct stat st;

	sn_journal_close(j);
	if (fd < 0)
		return sn_leaf_valid(leaf) ? -errno : -EINVAL;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	/* User code may have set a umask with which the bridge could not read it. Ours: cannot fail. */
	if ((st.st_mode & 0777) != 0644)
		(void)fchmod(fd, 0644);
	sn_fd_move_high(&fd); /* user code gets lower numbers */
	*j = (struct sn_journal){
		.fd = sn_fd_steal(&fd), .dev = st.st_dev, .ino = st.st_ino, .size = st.st_size};
	return 0;
}

static ssize_t write_pieces(int fd, struct iovec *v, int count)
{
	ssize_t done = 0, n;

	while (count > 0) {
		n = writev(fd, v, count);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += n;
		for (; count > 0 && (size_t)n >= v->iov_len; v++, count--)
			n -= (ssize_t)v->iov_len;
		if (count > 0) {
			v->iov_base = (char *)v->iov_base + n;
			v->iov_len -= (size_t)n;
		}
	}
	return done;
}

static struct iovec piece(const void *data, size_t len)
{
	struct iovec v = {.iov_len = len};

	memcpy(&v.iov_base, &data, sizeof data); /* writev does not write to it */
	return v;
}

int sn_journal_append(struct sn_journal *j, const struct sn_journal_text *records, size_t count)
{
	struct iovec v[3 * SN_JOURNAL_AT_ONCE];
	struct stat st;
	ssize_t n;

	if (!is_open(j, &st) || st.st_nlink == 0 || st.st_size != j->size)
		return -ESTALE;
	for (size_t i = 0; i < count; i++) {
		v[3 * i] = piece(records[i].head, records[i].head_len);
		v[3 * i + 1] = piece(records[i].body, records[i].body_len);
		v[3 * i + 2] = piece("\n", 1);
	}
	n = write_pieces(j->fd, v, (int)(3 * count));
	if (n >= 0)
		j->size += n;
	else if (ftruncate(j->fd, st.st_size) < 0) /* else what follows could not be found */
		sn_journal_close(j);
	return n < 0 ? (int)n : 0;
}

/* ---- reading ----------------------------------------------------------- */

/* What stands at r->at, as much of it as there is. */
static int refill(struct sn_records *r)
{
	ssize_t n;

	do
		n = pread(r->fd, r->buf, SN_RECORDS_BUFFER, r->at);
	while (n < 0 && errno == EINTR);
	r->buf_at = r->at;
	r->buf_len = n > 0 ? (size_t)n : 0;
	return n < 0 ? -errno : 0;
}

/* The record's last byte. Far behind what was read it is looked at only if that was read just now: a writer takes back
 * what it has no room for, and writes something else there. */
static int check_end(const struct sn_records *r, off_t at, bool fresh)
{
	char c;
	ssize_t n;

	if (at >= r->buf_at && at - r->buf_at < (off_t)r->buf_len)
		return r->buf[at - r->buf_at] == '\n' ? 1 : -EINVAL;
	if (!fresh)
		return 0;
	do
		n = pread(r->fd, &c, 1, at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n == 0 ? 0 : c == '\n' ? 1 : -EINVAL;
}

static int look(struct sn_records *r, struct sn_record *ret, bool fresh)
{
	const size_t from = (size_t)(r->at - r->buf_at);
	int e = sn_result_parse_head(r->buf + from, r->buf_len - from, &ret->head, &ret->body_at);

	if (e < 0)
		return e == -EAGAIN ? 0 : e;
	if (ret->head.name[0] == '\0' || ret->head.length > (size_t)1 << 40 || r->at > (off_t)1 << 62)
		return -EINVAL;
	ret->at = r->at;
	ret->size = ret->body_at + ret->head.length + 1;
	return check_end(r, r->at + (off_t)ret->size - 1, fresh);
}

int sn_records_next(struct sn_records *r, struct sn_record *ret)
{
	int e = 0;

	if (r->at >= r->buf_at && r->at - r->buf_at < (off_t)r->buf_len)
		e = look(r, ret, false);
	/* Once more, with all that there is now; twice, because something may be taken back between our two reads. */
	for (int tries = 0; (e == 0 && tries == 0) || (e == -EINVAL && tries < 2); tries++) {
		const int error = refill(r);

		if (error < 0)
			return error;
		e = r->buf_len > 0 ? look(r, ret, true) : 0;
	}
	if (e == 1)
		r->at += (off_t)ret->size;
	return e;
}

struct walk {
	int dir;
	char *buf;
	int (*each)(void *arg, int fd, const struct sn_record *rec);
	void *arg;
};

static int walk_one(void *arg, const char *leaf)
{
	const struct walk *w = arg;
	SN_AUTOFD int fd = sn_journal_valid(leaf) ? sn_dir_open_hostile(w->dir, leaf) : -EINVAL;
	struct sn_records r = {.fd = fd, .buf = w->buf};
	struct sn_record rec;
	struct stat st;
	int e = 0;

	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM) /* what is in there counts all the same */
		return fd;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	while (e == 0 && r.at < st.st_size &&
	       sn_records_next(&r, &rec) == 1) /* and not what is added meanwhile */
		e = w->each(w->arg, fd, &rec);
	return e;
}

int sn_journal_each(int dir, int (*each)(void *arg, int fd, const struct sn_record *rec), void *arg)
{
	SN_AUTOFREE char *buf = sn_malloc(SN_RECORDS_BUFFER);
	struct walk w = {.dir = dir, .buf = buf, .each = each, .arg = arg};

	return sn_dir_each(dir, walk_one, &w);
}

struct search {
	const char *name;
	int64_t since_us;
	enum sn_outcome *ret_outcome;
};

static int answers(void *arg, int fd, const struct sn_record *rec)
{
	struct search *s = arg;

	(void)fd;
	if (rec->head.message != 0 || rec->head.started_us < s->since_us ||
	    strcmp(rec->head.name, s->name) != 0)
		return 0;
	if (s->ret_outcome != NULL)
		*s->ret_outcome = rec->head.outcome;
	return 1;
}

int sn_journal_has_since(int dir, const char *name, int64_t since_us, enum sn_outcome *ret_outcome)
{
	struct search s = {.name = name, .since_us = since_us, .ret_outcome = ret_outcome};

	return sn_journal_each(dir, answers, &s);
}

int sn_journal_has(int dir, const char *name, enum sn_outcome *ret_outcome)
{
	return sn_journal_has_since(dir, name, INT64_MIN, ret_outcome);
}
