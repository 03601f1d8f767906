/* Handing in workitems by hand, as the bridge does: spool-put, spool-retry, skynet put, skynet replay --enqueue.
 *
 *	struct sn_put p;
 *	r = sn_put_open(&home, "P1", &p);
 *	r = sn_put(&p, body, len, name, &why);
 *	sn_put_close(&p);
 */
#ifndef SN_PUT_H
#define SN_PUT_H

#include "svc/items.h"

struct sn_put {
	struct sn_shelf shelf;
	uint64_t max_size_bytes; /* of a body, from the participant's configuration */
	struct sn_name_clock clock;
};

/* 0; -ENOENT no such spool; -EACCES: work/ is closed to the caller; -errno. */
int sn_put_open(const struct sn_home *h, const char *participant, struct sn_put *ret) SN_CHECK;
void sn_put_close(struct sn_put *p);
/* Delivers one body. 0 and its name; 1 and its name: a cancel item, the bridge carries it out; -EBADMSG: no workitem, *ret_why says what is wrong; -EFBIG: over max_size; -errno. */
int sn_put(struct sn_put *p, const void *body, size_t len, char ret_name[SN_NAME_SIZE],
	   const char **ret_why) SN_CHECK;
/* 1 if a workitem with exactly these bytes is open, its name in ret_name; 0 if none; -errno. */
int sn_put_is_open(const struct sn_put *p, const void *body, size_t len,
		   char ret_name[SN_NAME_SIZE]) SN_CHECK;

/* What is made in a spool must belong to its owner, who alone may change it. Root takes the owner's uid between these
 * two; for anybody else they do nothing. 0 or -errno. */
int sn_role_enter(const struct sn_spool *s) SN_CHECK;
void sn_role_leave(void);

#endif
