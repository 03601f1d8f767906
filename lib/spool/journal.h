/* Journals: files of results, one record after the other (docs/SPOOL.md, section 6).
 *	work/result/TIME-PID.results		what a worker, or exo, has to say; the bridge reads it, and unlinks it
 *	done/DATE/BUCKET/TIME-PID.results	what the bridge has kept
 * A record is a header that names its workitem, an empty line, the body and a newline. One process writes a journal; it is
 * never written again by another, so what is cut short by a crash is always the end of one. */
#ifndef SN_JOURNAL_H
#define SN_JOURNAL_H

#include "data/result.h"

#define SN_JOURNAL_SUFFIX ".results"
enum {
	SN_JOURNAL_SIZE = 22 + 1 + 10 + sizeof SN_JOURNAL_SUFFIX,
	SN_JOURNAL_BYTES = 16 << 20, /* a writer in work/result begins another one when it is this long */
	SN_JOURNAL_AT_ONCE = 64,     /* records in one write */
};

struct sn_journal { /* being written; {.fd = -1}: none yet */
	int fd;
	dev_t dev;
	ino_t ino;
	off_t size;    /* nobody else writes to it: another size, and it is not ours any more */
	bool is_named; /* its directory was synced: for the caller */
};

/* A name for one of this process. */
void sn_journal_name(char ret_leaf[SN_JOURNAL_SIZE]);
bool sn_journal_valid(const char *leaf);
/* Opens (or makes, 0644) dir/leaf. 0 or -errno; what j had open is closed. */
int sn_journal_open(struct sn_journal *j, int dir, const char *leaf) SN_CHECK;
/* Not a descriptor that is another file's by now. */
void sn_journal_close(struct sn_journal *j);
struct sn_journal_text { /* a record in two pieces, of which one may be empty; the newline is added */
	const void *head, *body;
	size_t head_len, body_len;
};
/* Appends up to SN_JOURNAL_AT_ONCE records. Whole or not at all, as long as we live.
 * -ESTALE: the descriptor is another file's (code of a participant's closed it), the file was unlinked, or somebody else
 * wrote to it: open another. After another -errno with j->fd < 0 the journal ends in half a record: one of another name. */
int sn_journal_append(struct sn_journal *j, const struct sn_journal_text *records, size_t count) SN_CHECK;

struct sn_record {
	struct sn_result head;
	off_t at;	/* of the record in the file */
	size_t body_at; /* of the body in the record */
	size_t size;	/* of the record, its newline included */
};
enum { SN_RECORDS_BUFFER = 64 << 10 };
struct sn_records { /* a journal being read */
	int fd;
	off_t at;  /* the next record */
	char *buf; /* SN_RECORDS_BUFFER bytes, the caller's; of no other journal until this one is done with */
	off_t buf_at;
	size_t buf_len;
};
/* The next record: 1; 0: the end, or the last one is not whole (yet): call again when there is more; -EINVAL: what
 * stands at r->at is no record, and what is behind it cannot be found; -errno. Bodies are not looked at. */
int sn_records_next(struct sn_records *r, struct sn_record *ret) SN_CHECK;

/* Calls `each` with every record of every journal in dir until it returns non-zero, which is then returned. What cannot be
 * read is passed over, but for our own lack of descriptors or memory: -errno. fd: the journal, for reading bodies. */
int sn_journal_each(int dir, int (*each)(void *arg, int fd, const struct sn_record *rec), void *arg) SN_CHECK;
/* 1: there is an answer to the workitem in dir, with that outcome (ret_outcome may be NULL); 0: there is none; -errno: it is not
 * known. */
int sn_journal_has(int dir, const char *name, enum sn_outcome *ret_outcome) SN_CHECK;
/* The same of a run that its worker began at since_us or later. */
int sn_journal_has_since(int dir, const char *name, int64_t since_us, enum sn_outcome *ret_outcome) SN_CHECK;

#endif
