/* AIR (docs/BRIDGE.md): enquiries from afar about what is open here.
 *
 *	air.c		main thread: which workitems have been open for air_after; commands to the thread
 *	air_thread.c	the thread that owns the AIR connection: life, reconnects
 *	air_table.c	the thread: open WFIDs, their channels and queues
 *	air_request.c	the thread: requests, what exo says, answers
 *
 * A workitem costs the main thread two comparisons; those that have been open for air_after a command when they are, and another
 * one when they are retired. The thread is made for the first of them. */
#ifndef AIR_H
#define AIR_H

#include "bridge.h"

struct air *air_new(struct bridge *b);
/* The workitem is the newest of its participant; or it goes. NULL is allowed. */
void air_added(struct air *a, struct item *it);
void air_removed(struct air *a, struct item *it);
/* The configuration was read again; `anew`: another broker. Also ends a back-off. */
void air_reload(struct air *a, bool anew);
/* After a wake: has what air_status() says changed? */
bool air_changed(struct air *a);
/* The line of the status file; nothing before AIR was needed. */
int air_status(struct air *a, struct sn_buf *out) SN_CHECK;
/* Ends the thread; what still connects after `seconds` is left behind, the process ends. */
void air_free(struct air *a, double seconds);

#endif
