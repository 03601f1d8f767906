/* exo-exec: the worker that runs an executable for each workitem (docs/WORKER.md, "Executables").
 *
 * main.c (what exo wants), program.c (one process from its start to its end), tail.c (what its children still print). */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "base/buf.h"

enum { LAST_BYTES = 8192, CHUNK_BYTES = 64 << 10 };

struct program {
	pid_t pid;
	int out, err;	       /* our ends of its standard output and error; -1: at their end */
	int signals;	       /* SIGCHLD */
	struct sn_buf reply;   /* its standard output; max_bytes is the caller's */
	bool flooded;	       /* it wrote more than that */
	char last[LAST_BYTES]; /* the end of its standard error */
	size_t last_len;
	char chunk[CHUNK_BYTES];
	int code, status; /* si_code and si_status of its end */
};

/* Once per worker. 0 or -errno. */
int program_init(struct program *p) SN_CHECK;
/* Starts `path` with `workitem` as its standard input. 0 or -errno, exec's included. */
int program_start(struct program *p, const char *path, int workitem) SN_CHECK;
/* Until it has ended: collects what it prints, hands its standard error on to ours. Then p->out and p->err are open
 * only where something that it left behind holds on to them. */
void program_follow(struct program *p);
/* What it left behind that has ended since, where it is given to us. */
void program_reap_orphans(void);

/* tail.c: reads `from` (any of them may be -1) to their ends, into the pipe that is our standard error now, on a thread
 * of its own. Takes the descriptors. */
struct sn_worker;
void tail_start(const struct sn_worker *w, int from[2]);

#endif
