/* run/amqp-spool/outbox: what the last two batches held, so that a bridge that was killed can tell (docs/BRIDGE.md).
 * One pwrite(2) over the former content, which a kill cannot cut; the first line says how much of the file counts. Not
 * synced: after a power cut the replies in question go out a second time.
 *
 * Lines: "bytes N", then "batch ID" and "PARTICIPANT LEAF" for each of its replies; a batch before the last one stands
 * first and is known to be taken. */
#ifndef OUTBOX_H
#define OUTBOX_H

#include "publisher.h"

enum { BATCH_ID_SIZE = 48, OUTBOX_MAX = 1 << 20 };

/* Adds a line for each job of the list. */
int outbox_add(struct sn_buf *text, const char *batch_id, const struct job_list *jobs) SN_CHECK;
/* The file, made if it is missing. A descriptor, the caller's, or -errno. */
int outbox_open(int dirfd) SN_CHECK;
/* Replaces the content by the two texts (each may be empty). */
int outbox_write(int fd, const struct sn_buf *taken, const struct sn_buf *pending) SN_CHECK;
/* Reads the file: jobs that were certainly taken, those of the last batch apart with its id. A cut or foreign file is -EINVAL. */
int outbox_read(int fd, struct job_list *taken, struct job_list *pending,
		char ret_id[BATCH_ID_SIZE]) SN_CHECK;

#endif
