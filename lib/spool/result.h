/* result.1–2 (worker) and publish.1 (bridge): result files on disk. */
#ifndef SN_SPOOL_RESULT_H
#define SN_SPOOL_RESULT_H

#include "data/result.h"
#include "spool/spool.h"

/* Writes result/tmp/LEAF (LEAF: NAME,aN or NAME,aN.mNNNN): header of res (length set here), body. sync: fdatasync.
 * Nothing stays behind on an error. 0 or -errno. */
int sn_result_write(struct sn_spool *s, const char *leaf, const struct sn_result *res, const void *body,
		    size_t len, bool sync) SN_CHECK;

struct sn_result_file {
	struct sn_result head;
	struct sn_buf text; /* the whole file */
	size_t body_at;
};
/* Reads result/new/LEAF as hostile input; uid: whose it must be, (uid_t)-1: anybody's; ret->text.max_bytes is the
 * ceiling, set by the caller. 0;
 * -ENOENT; -EMLINK a second link (try again later); -EPERM wrong uid; -EINVAL no regular file, or a malformed one;
 * -EFBIG over the ceiling; -EBADMSG cut short, another digest, or of another workitem; -errno. Release in every case. */
int sn_result_read(struct sn_spool *s, const char *leaf, uid_t uid, struct sn_result_file *ret) SN_CHECK;
/* Takes text apart: 0, and head and body_at; -EINVAL, -EBADMSG as above. */
int sn_result_verify(struct sn_result_file *f) SN_CHECK;
void sn_result_release(struct sn_result_file *f);

#endif
