/* One participant's spool: its directories, held open (docs/SPOOL.md, section 1). The operations on it are in
 * deliver.h (bridge, spool-put), claim.h (exo), result.h (worker, bridge), retire.h (bridge), recover.h. */
#ifndef SN_SPOOL_H
#define SN_SPOOL_H

#include "base/base.h"
#include "data/name.h"
#include "spool/journal.h"

struct sn_spool {
	int root, open, done, failed; /* done, failed: -1 on the participant's side */
	int work, cur, result;
	bool foreign; /* not the owner of open/NAME: an atime cannot be left alone */
	dev_t dev;
	ino_t open_ino, result_ino;
	struct sn_journal journal; /* the one in result/ that this process writes: workers, exo */
	/* the bucket directories last used, so that each workitem does not open them again */
	struct sn_bucket {
		char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE];
		int fd;
		struct sn_journal kept; /* the one in there that this process writes: the bridge */
	} done_bucket, failed_bucket;
	char kept_leaf[SN_JOURNAL_SIZE]; /* its name, in every bucket */
};

enum sn_spool_side {
	SN_SPOOL_BRIDGE, /* everything */
	SN_SPOOL_WORK,	 /* open/, and what lies below work/: exo, workers. Descriptors: sn_fd_move_high() */
};

struct sn_spool_owner { /* for sn_spool_make; (uid_t)-1 and (gid_t)-1 leave things as they are */
	uid_t skynet;
	gid_t skynet_group, adm, participant;
};

enum sn_spool_group { SN_GROUP_ADM, SN_GROUP_PARTICIPANT, SN_GROUP_SKYNET };
struct sn_spool_layout {  /* docs/SPOOL.md, section 1; parents stand before their children */
	const char *path; /* below spool/NAME; the first is "." */
	mode_t mode;
	enum sn_spool_group group;
	bool adm_too; /* group adm may list it and read it as well, by an ACL */
};
/* The table of directories: *ret_count rows. */
const struct sn_spool_layout *sn_spool_layout(size_t *ret_count);
/* The group that a row's directory belongs to; (gid_t)-1: any. */
gid_t sn_spool_group(const struct sn_spool_owner *owner, enum sn_spool_group group);

/* The ACL of what is `adm_too`, as sys/posix_acl.h has it. */
enum { SN_SPOOL_ACL_SIZE = 64 };
void sn_spool_acl(gid_t adm, char ret_text[SN_SPOOL_ACL_SIZE]);

/* Creates what is missing of spool/NAME below spooldir, and sets owners and modes. 0 or -errno. */
int sn_spool_make(int spooldir, const char *participant, const struct sn_spool_owner *owner) SN_CHECK;
/* Opens it. 0; -ENOENT not there; -EXDEV: its directories are not on one file system; -errno. On success
 * sn_spool_release() is the caller's duty. */
int sn_spool_open(struct sn_spool *s, int spooldir, const char *participant,
		  enum sn_spool_side side) SN_CHECK;
void sn_spool_release(struct sn_spool *s);
/* Are the descriptors of open/ and result/ still that? 0; -EBADF: the participant's code, in this process, has closed them
 * and may have opened something else in their place. */
int sn_spool_verify(const struct sn_spool *s) SN_CHECK;
/* The directory done/DATE/BUCKET (or failed/…) of a name, made if missing. A descriptor owned by s, or -errno. */
int sn_spool_done_dir(struct sn_spool *s, const char *name) SN_CHECK;
int sn_spool_failed_dir(struct sn_spool *s, const char *name) SN_CHECK;

#endif
