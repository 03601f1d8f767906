/* result.1–2 (workers, exo) and publish.1 (bridge): results in the journals of work/result. */
#ifndef SN_SPOOL_RESULT_H
#define SN_SPOOL_RESULT_H

#include "spool/journal.h"
#include "spool/spool.h"

/* Appends a result to this process's journal: the header of res (its length is set here; res->name says whose it is) and
 * the body. sync: on the disk before it returns. Whole or not at all, but when the sync failed. 0; -EBADF as
 * sn_spool_verify(); -errno. */
int sn_result_write(struct sn_spool *s, const struct sn_result *res, const void *body, size_t len,
		    bool sync) SN_CHECK;

struct sn_result_file {
	struct sn_result head;
	struct sn_buf text; /* header, empty line, body */
	size_t body_at;
	char journal[SN_JOURNAL_SIZE]; /* set by sn_result_find(), for people: where it was found */
	off_t at;		       /* and where the record begins in there */
};
/* Opens the journal result/LEAF as hostile input; uid: whose it must be, (uid_t)-1: anybody's. A descriptor, the
 * caller's; -ENOENT; -EMLINK a second link (try again later); -EPERM wrong uid; -EINVAL no regular file; -errno. */
int sn_result_open(struct sn_spool *s, const char *leaf, uid_t uid) SN_CHECK;
/* Reads a record that sn_records_next() found in the journal fd: it may have been changed since. ret->text.max_bytes is
 * the ceiling, set by the caller; what it held is gone. 0; -EFBIG over the ceiling, text is what is below it; -EBADMSG cut short, another digest, or of another workitem;
 * -EINVAL malformed; -errno. Release in every case. */
int sn_result_read(int fd, const struct sn_record *rec, struct sn_result_file *ret) SN_CHECK;
/* The answer to a workitem in the journals of dir (work/result or done/DATE/BUCKET). 0; -ENOENT; as sn_result_read(). */
int sn_result_find(int dir, const char *name, struct sn_result_file *ret) SN_CHECK;
/* Takes text apart: 0, and head and body_at; -EINVAL, -EBADMSG as above. */
int sn_result_verify(struct sn_result_file *f) SN_CHECK;
void sn_result_release(struct sn_result_file *f);

#endif
