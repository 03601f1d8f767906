/* A client of exo's control socket (docs/CONTROL.md) that never blocks: one request, one connection, in the loop that it is
 * given, the main one or that of the AIR thread.
 *
 * The socket is the participant's to replace: it is opened without following links, and must be listened on by its uid
 * before a byte is sent (else a participant could have us say things to others, which trust us). */
#ifndef CONTROL_H
#define CONTROL_H

#include <ev.h>

#include "base/buf.h"

struct control; /* a request under way */

struct control_request {
	int run;		 /* the directory of state files, home.run; borrowed for the call */
	const char *participant; /* borrowed for the call */
	uid_t uid;		 /* who must listen */
	const char *line;	 /* with its newline, at most 4096 bytes; borrowed for the call */
	double limit_s;		 /* for all of it */
	size_t max_bytes;	 /* of the answer */
	/* Called once, from the loop. error: 0 an `end` line came, *its* code is in code; -ETIMEDOUT; -ECONNRESET: it closed
	 * without one; -EFBIG; -EPROTO: no JSON lines; -errno. text: the whole lines before `end`, borrowed. */
	void (*done)(void *arg, int error, int code, const struct sn_buf *text);
	void *arg;
};

/* 0, and done() will be called unless control_abort() is; -ENOENT, -ECONNREFUSED: no exo listens; -EAGAIN: it is too
 * busy to take us; -EPERM: the socket is somebody else's; -errno: done() is not called. */
int control_start(struct ev_loop *loop, const struct control_request *rq, struct control **ret) SN_CHECK;
/* Ends it; done() is not called. NULL is allowed. */
void control_abort(struct control *c);
/* Does an exo, or a worker of one, hold the participant's lock? */
bool control_exo_lives(int run, const char *participant);

#endif
