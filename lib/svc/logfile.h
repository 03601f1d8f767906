/* A service's log as svlogd keeps it: `current` and rotated `@TIME.s`, read in order as if it were one file.
 *
 *	r = sn_logfile_open(&l, "DIR/log/P1", since_s);
 *	while (sn_logfile_next(&l) > 0) … l.time, l.text …
 *	later again, if more was written: rotation in between loses nothing
 *	sn_logfile_close(&l); */
#ifndef SN_LOGFILE_H
#define SN_LOGFILE_H

#include "base/base.h"

enum { SN_LOGFILE_TIME = 25 }; /* "2026-11-22_10:54:43.86511" */

struct sn_logfile {
	char time[SN_LOGFILE_TIME + 1]; /* of the last line that had one */
	const char *text;		/* without time and newline; until the next call */
	/* private */
	int dir;
	FILE *file;
	ino_t inode;
	char *line;
	size_t size;
	int64_t since_s;
};

/* since_s: files last written before it are passed over (seconds since 1970). 0 or -errno. */
int sn_logfile_open(struct sn_logfile *l, const char *dir, int64_t since_s) SN_CHECK;
/* 1: a line; 0: no further whole line at present. */
int sn_logfile_next(struct sn_logfile *l) SN_CHECK;
void sn_logfile_close(struct sn_logfile *l);

#endif
