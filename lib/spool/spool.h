/* One participant's spool: its directories, held open (docs/SPOOL.md, section 1). The operations on it are in
 * deliver.h (bridge, spool-put), claim.h (exo), result.h (worker, bridge), retire.h (bridge), recover.h. */
#ifndef SN_SPOOL_H
#define SN_SPOOL_H

#include "base/base.h"
#include "data/name.h"

struct sn_spool {
	int root, open, done, failed; /* -1 on the participant's side */
	int work, new, cur, tmp, result;
	dev_t dev;
	unsigned spare;	     /* the next one to leave (bridge) or to take (worker) */
	unsigned spare_rest; /* worker: results to go before it looks for one again */
	/* the bucket directories last used, so that each workitem does not open them again */
	struct sn_bucket {
		char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE];
		int fd;
	} done_bucket, failed_bucket;
};

/* result/tmp/spare.NNN: result files that the bridge has copied, to be written anew. A ring: the bridge and each worker
 * go round it. More than a batch of replies, so that a batch finds room; what is larger than SN_SPARE_BYTES is no spare:
 * they hold the disk space of 16 MiB at most. */
enum { SN_SPARES = 256, SN_SPARE_TRIES = 4, SN_SPARE_BYTES = 64 << 10, SN_SPARE_SIZE = 16 };
/* The leaf of s->spare, which goes on to the next. */
void sn_spare_next(struct sn_spool *s, char ret_leaf[SN_SPARE_SIZE]);
bool sn_spare_valid(const char *leaf);

enum sn_spool_side {
	SN_SPOOL_BRIDGE, /* everything */
	SN_SPOOL_WORK,	 /* what lies below work/: exo, workers */
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
};
/* The table of directories: *ret_count rows. */
const struct sn_spool_layout *sn_spool_layout(size_t *ret_count);
/* The group that a row's directory belongs to; (gid_t)-1: any. */
gid_t sn_spool_group(const struct sn_spool_owner *owner, enum sn_spool_group group);

/* Creates what is missing of spool/NAME below spooldir, and sets owners and modes. 0 or -errno. */
int sn_spool_make(int spooldir, const char *participant, const struct sn_spool_owner *owner) SN_CHECK;
/* Opens it. 0; -ENOENT not there; -EXDEV: its directories are not on one file system; -errno. On success
 * sn_spool_release() is the caller's duty. */
int sn_spool_open(struct sn_spool *s, int spooldir, const char *participant,
		  enum sn_spool_side side) SN_CHECK;
void sn_spool_release(struct sn_spool *s);
/* The directory done/DATE/BUCKET (or failed/…) of a name, made if missing. A descriptor owned by s, or -errno. */
int sn_spool_done_dir(struct sn_spool *s, const char *name) SN_CHECK;
int sn_spool_failed_dir(struct sn_spool *s, const char *name) SN_CHECK;

#endif
