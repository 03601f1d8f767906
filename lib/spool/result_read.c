/* publish.1. A file of its own, because only readers need the digest: exo writes results without that library. */
#include "spool/result.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fail.h"
#include "data/digest.h"
#include "sys/dir.h"
#include "sys/fd.h"

/* What docs/SPOOL.md, section 6, wants of the file before a byte is read. */
static int check_kind(int fd, uid_t uid, size_t max_bytes, size_t *ret_size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (uid != (uid_t)-1 && st.st_uid != uid)
		return -EPERM;
	if (st.st_nlink > 1)
		return -EMLINK;
	*ret_size = (size_t)st.st_size;
	return (uint64_t)st.st_size > max_bytes ? -EFBIG : 0;
}

/* Is it this workitem's? One that does not say is the participant's own make. */
static bool says(const struct sn_result *head, const char *leaf)
{
	const size_t len = strlen(head->name);

	return len == 0 || (strncmp(leaf, head->name, len) == 0 && (leaf[len] == '\0' || leaf[len] == '.'));
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

int sn_result_read(struct sn_spool *s, const char *leaf, uid_t uid, struct sn_result_file *ret)
{
	SN_AUTOFD int fd = -1;
	size_t size = 0;
	int r = SN_FAIL("publish.1");

	if (r < 0)
		return r;
	/* The first read of a file would set its atime: a journalled change of the inode for nobody. Allowed to its
	 * owner. */
	fd = sn_dir_open_hostile_with(s->result, leaf, uid == geteuid() ? O_NOATIME : 0);
	if (fd < 0)
		return fd == -ELOOP || fd == -ENXIO ? -EINVAL : fd;
	r = check_kind(fd, uid, ret->text.max_bytes, &size);
	if (r < 0)
		return r;
	r = sn_fd_read_sized(fd, &ret->text, size);
	if (r < 0)
		return r == -E2BIG ? -EFBIG : r;
	r = sn_result_verify(ret);
	return r == 0 && !says(&ret->head, leaf) ? -EBADMSG : r;
}

void sn_result_release(struct sn_result_file *f)
{
	sn_buf_release(&f->text);
}
