/* publish.1. A file of its own, because only readers need the digest: exo writes results without that library. */
#include "spool/result.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "base/mem.h"
#include "data/digest.h"
#include "sys/dir.h"

int sn_result_open(struct sn_spool *s, const char *leaf, uid_t uid)
{
	/* The first read of a file would set its atime: a journalled change of the inode for nobody. Allowed to its
	 * owner. */
	SN_AUTOFD int fd = sn_dir_open_hostile_with(s->result, leaf, uid == geteuid() ? O_NOATIME : 0);
	struct stat st;
	int ret;

	if (fd < 0)
		return fd == -ELOOP || fd == -ENXIO ? -EINVAL : fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (uid != (uid_t)-1 && st.st_uid != uid)
		return -EPERM;
	if (st.st_nlink > 1)
		return -EMLINK;
	ret = fd;
	fd = -1;
	return ret;
}

int sn_result_verify(struct sn_result_file *f)
{
	char hex[SN_DIGEST_HEX_SIZE];
	int r = f->text.len == 0 ? -EBADMSG
				 : sn_result_parse(f->text.data, f->text.len, &f->head, &f->body_at);

	if (r < 0 || f->head.sha256[0] == '\0')
		return r;
	sn_digest_hex(f->text.data + f->body_at, f->head.length, hex);
	return strcmp(hex, f->head.sha256) == 0 ? 0 : -EBADMSG;
}

static int read_at(int fd, char *to, size_t len, off_t at)
{
	while (len > 0) {
		ssize_t n = pread(fd, to, len, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		to += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int sn_result_read(int fd, const struct sn_record *rec, struct sn_result_file *ret)
{
	const size_t whole = rec->size - 1; /* without the newline */
	const size_t len = whole < ret->text.max_bytes ? whole : ret->text.max_bytes;
	char *to;
	int r = SN_FAIL("publish.1");

	if (r < 0)
		return r;
	sn_buf_reset(&ret->text);
	to = sn_buf_reserve(&ret->text, len);
	if (to == NULL)
		return -EFBIG;
	r = read_at(fd, to, len, rec->at);
	if (r < 0)
		return r;
	to[len] = '\0';
	ret->text.len = len;
	r = len < whole ? -EFBIG : sn_result_verify(ret);
	if (r < 0)
		return r;
	return strcmp(ret->head.name, rec->head.name) == 0 && ret->head.message == rec->head.message
		       ? 0
		       : -EBADMSG;
}

struct search {
	const char *name;
	struct sn_result_file *ret;
	int r;
};

/* What the journal is called: that is not passed along with its descriptor, and only people want to know. */
static void note_place(int fd, const struct sn_record *rec, struct sn_result_file *ret)
{
	char link[32], path[4096], *leaf;
	ssize_t n;

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd); /* fits */
	n = readlink(link, path, sizeof path - 1);
	path[n < 0 ? 0 : n] = '\0';
	leaf = strrchr(path, '/');
	if (leaf != NULL && sn_journal_valid(leaf + 1)) /* else it was unlinked meanwhile */
		memcpy(ret->journal, leaf + 1, strlen(leaf));
	ret->at = rec->at;
}

/* Of several the first that is whole: what was sent. */
static int take(void *arg, int fd, const struct sn_record *rec)
{
	struct search *s = arg;

	if (rec->head.message != 0 || strcmp(rec->head.name, s->name) != 0)
		return 0;
	s->r = sn_result_read(fd, rec, s->ret);
	note_place(fd, rec, s->ret);
	return s->r == 0;
}

int sn_result_find(int dir, const char *name, struct sn_result_file *ret)
{
	struct search s = {.name = name, .ret = ret, .r = -ENOENT};
	int r = sn_journal_each(dir, take, &s);

	return r < 0 ? r : s.r;
}

void sn_result_release(struct sn_result_file *f)
{
	sn_buf_release(&f->text);
}
