/* State files run/NAME/status (docs/HOME.md) and runit's supervise/status. */
#ifndef SN_STATUS_H
#define SN_STATUS_H

#include "base/buf.h"

struct sn_status { /* what exo and the bridge write; strings are borrowed on write, owned on read */
	char *state;
	pid_t pid;
	int64_t since_us;
	unsigned workers, restarts;
	int code;
	char *reason;	  /* one line; NULL or "" none */
	unsigned reloads; /* exo only: reloads decided on */
	char *reload;	  /* why the last one was refused; NULL or "" it was not */
	char *broker;	  /* the bridge only */
	char *extra;	  /* further whole lines, "participant.P1: consuming\n" …; NULL none */
};

/* Replaces dirfd/status. 0 or -errno. */
int sn_status_write(int dirfd, const struct sn_status *s) SN_CHECK;
/* Reads it. 0; -ENOENT never written; -EINVAL malformed; release with sn_status_release() in every case. */
int sn_status_read(int dirfd, struct sn_status *ret) SN_CHECK;
void sn_status_release(struct sn_status *s);

struct sn_runit {	  /* supervise/status of a service directory */
	pid_t pid;	  /* 0: not running */
	int64_t since_us; /* of the last change of state */
	bool want_up, paused, term_sent;
	bool finishing;	 /* pid is ./finish, not ./run */
	bool supervised; /* a runsv listens on supervise/ok; without one the rest is old */
};
/* 0; -ENOENT never supervised; -EACCES (supervise/ is 0700); -EINVAL. */
int sn_runit_read(const char *service_dir, struct sn_runit *ret) SN_CHECK;

#endif
