#include "spool/result.h"

#include <sys/file.h>
#include <unistd.h>

#include "base/fail.h"
#include "sys/dir.h"

/* result.1: a journal of our own, and the lock on it. */
static int begin(struct sn_spool *s)
{
	char leaf[SN_JOURNAL_SIZE];
	int r = SN_FAIL("result.1");

	if (r == 0)
		r = sn_spool_verify(s); /* a stranger's directory gets no journal */
	if (r < 0)
		return r;
	sn_journal_name(leaf);
	return sn_journal_open(&s->journal, s->result, leaf);
}

/* The lock says to the bridge: not whole yet. It takes it to unlink a journal, and only if it is free. Where it is taken
 * we do not wait: that journal is about to go, or somebody of the participant's means harm. */
static int append(struct sn_spool *s, const struct sn_buf *head, const void *body, size_t len)
{
	const struct sn_journal_text record = {
		.head = head->data, .head_len = head->len, .body = body, .body_len = len};
	const int fd = s->journal.fd;
	int r;

	if (fd < 0)
		return -ESTALE;
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EINTR)
			return -ESTALE; /* so, too, if it is not our descriptor any more */
	}
	r = SN_FAIL("result.2");
	if (r == 0)
		r = sn_journal_append(&s->journal, &record, 1);
	if (s->journal.fd >= 0)
		(void)flock(fd, LOCK_UN); /* of a descriptor that is locked: cannot fail */
	return r;
}

static int to_disk(struct sn_spool *s)
{
	if (fdatasync(s->journal.fd) < 0 || (!s->journal.is_named && fsync(s->result) < 0))
		return -errno;
	s->journal.is_named = true;
	return 0;
}

int sn_result_write(struct sn_spool *s, const struct sn_result *res, const void *body, size_t len, bool sync)
{
	struct sn_buf head = SN_BUF(SN_RESULT_HEADER_MAX);
	struct sn_result whole = *res;
	int r;

	whole.length = len;
	r = sn_name_valid(res->name) ? sn_result_format(&whole, &head) : -EINVAL;
	if (r < 0)
		goto out;
	r = append(s, &head, body, len);
	/* The bridge unlinks one that is idle; a file size limit (ulimit -f) is one of each journal. */
	for (int tries = 0; (r == -ESTALE || (r == -EFBIG && tries == 0)) && tries < 3; tries++) {
		r = begin(s);
		if (r == 0)
			r = append(s, &head, body, len);
	}
	if (r == 0 && sync)
		r = to_disk(s);
	/* Left to the bridge; not between a message and the answer that is to come behind it. */
	if (s->journal.size >= SN_JOURNAL_BYTES && res->message == 0)
		sn_journal_close(&s->journal);
out:
	sn_buf_release(&head);
	return r;
}
