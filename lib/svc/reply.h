/* What the exo of one participant said to `status`, kept and shown to people; and one event of `cancel`. The lines may come from
 * its control socket (svc/control.h) or from another host (svc/remote.h): either is hostile, and printed accordingly.
 *
 *	struct sn_reply rep = {0};
 *	sn_reply_keep(&rep, type, line) … sn_reply_workers(&rep, "P1", false) …
 *	sn_reply_release(&rep);
 */
#ifndef SN_REPLY_H
#define SN_REPLY_H

#include "svc/control.h"

struct sn_reply { /* lines of docs/CONTROL.md; owned */
	char *status;
	char **answers;
	size_t count;
};

void sn_reply_keep(struct sn_reply *rep, const char *type, struct sn_span line);
void sn_reply_release(struct sn_reply *rep);
/* One member of an object; absent where it is none. */
struct sn_span sn_reply_member(struct sn_span object, const char *key) SN_CHECK;
/* "NAME: ready for 3h …": the line above its workers. `name` is printed as it is. */
void sn_reply_head(const struct sn_reply *rep, const char *name);
/* A block for each workitem that a worker runs, or (`idle`) a line for each worker that runs none. How many. */
unsigned sn_reply_workers(const struct sn_reply *rep, const char *name, bool idle);
/* Does a worker run this workitem? */
bool sn_reply_runs(const struct sn_reply *rep, const char *item) SN_CHECK;
/* "NAME WORKITEM acknowledged: …" of a `cancel` line. */
void sn_reply_event(const char *name, struct sn_span line);

#endif
