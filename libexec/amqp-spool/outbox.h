/* run/amqp-spool/outbox: what the last batches held, so that a bridge that was killed can tell (docs/BRIDGE.md).
 * Not synced: after a power cut the replies in question go out a second time.
 *
 *	outbox_write(dirfd, "8d0c…-17", previous, jobs)   before tx.commit
 *
 * Lines: "batch ID", then "PARTICIPANT LEAF" each; a batch before the last one stands first and is known to be taken. */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "publisher.h"

enum { BATCH_ID_SIZE = 48, OUTBOX_MAX = 1 << 20 };

/* Adds a line for each job of the list. */
int outbox_add(struct sn_buf *text, const char *batch_id, const struct job_list *jobs) SN_CHECK;
/* Replaces the file by the two texts (each may be empty). */
int outbox_write(int dirfd, const struct sn_buf *taken, const struct sn_buf *pending) SN_CHECK;
/* Reads the file: jobs that were certainly taken, those of the last batch apart with its id. A missing file is empty. */
int outbox_read(int dirfd, struct job_list *taken, struct job_list *pending, char ret_id[BATCH_ID_SIZE]) SN_CHECK;

#endif
