/* The disk thread: what may wait for the disk, waits here. */
#ifndef DISK_H
#define DISK_H

#include "bridge.h"
#include "svc/history.h"

struct sync_file {
	int dirfd;		 /* an open/ directory, owned by the request */
	char name[SN_NAME_SIZE]; /* "": the directory alone */
};

struct sync_request { /* ack.1 and ack.2 */
	STAILQ_ENTRY(sync_request) link;
	uint64_t batch;
	bool whole;  /* syncfs(spoolfd) instead of an fdatasync for each */
	int spoolfd; /* borrowed */
	struct sync_file *files;
	size_t count;
	int error; /* out: 0 or -errno */
};

struct disk *disk_new(struct bridge *b);
/* Takes the request; it comes back through disk_collect() after a wake. */
void disk_sync(struct disk *d, struct sync_request *r);
struct sync_request *disk_collect(struct disk *d);
void sync_request_free(struct sync_request *r);
/* Writes the row within 100 ms. Copies it. */
void disk_row(struct disk *d, const struct sn_history_row *row);
/* Ends the thread after it has written what it has. */
void disk_free(struct disk *d);

#endif
