/* What exo itself says about a workitem: that its worker died, and, past max_attempts, the error reply. */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "data/workitem.h"
#include "exo.h"
#include "spool/result.h"
#include "sys/dir.h"
#include "sys/fd.h"

enum { REPLY_EXTRA_BYTES = 64 << 10 };

void crash_report(const struct item *it, const char *why, const struct ring *ring)
{
	const char *line;

	sn_err("name=%s attempt=%u: worker %s", it->name, it->attempt, why);
	for (unsigned i = 0; (line = ring_line(ring, i)) != NULL; i++)
		sn_err("name=%s attempt=%u: its last lines: %s", it->name, it->attempt, line);
}

static int read_body(const struct exo *x, const char *leaf, struct sn_buf *b)
{
	SN_AUTOFD int fd = sn_dir_open_hostile(x->spool.cur, leaf);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return sn_fd_read_all(fd, b);
}

static int splice_error(struct exo *x, const struct sn_buf *body, const char *message,
			const struct ring *ring, struct sn_buf *ret)
{
	const char *lines[RING_LINES];
	struct sn_error_reply e = {
		.class_name = x->config.participant.error_class, .message = message, .trace = lines};

	while (e.count < RING_LINES && (lines[e.count] = ring_line(ring, (unsigned)e.count)) != NULL)
		e.count++;
	return sn_workitem_add_error(body->data, body->len, &e, ret);
}

static int store(struct exo *x, const struct item *it, const char *leaf, const struct sn_buf *reply,
		 bool forget)
{
	struct sn_result res = {.outcome = SN_CRASH,
				.send = forget ? SN_SEND_NOTHING : SN_SEND_REPLY,
				.attempt = it->attempt,
				.started_us = sn_clock_real_us()};
	int r;

	res.finished_us = res.started_us;
	/* No digest (exo has no libcrypto): the file is synced instead. */
	r = sn_result_write(&x->spool, leaf, &res, reply->data, reply->len, true);
	if (r == 0)
		r = sn_claim_finish(&x->spool, it->name, it->attempt, true);
	if (r == -ENOSPC || r == -EDQUOT)
		room_wait(x, reply->len, -r);
	return r == -EEXIST ? 0 : r;
}

int crash_answer(struct exo *x, const struct item *it, const char *why, const struct ring *ring)
{
	size_t max = x->config.participant.max_size_bytes;
	struct sn_buf body = SN_BUF(max + 1), reply = SN_BUF(2 * max + REPLY_EXTRA_BYTES);
	const struct death *d = deaths_find(&x->deaths, it->name);
	unsigned tried = d != NULL && d->count > it->attempt ? d->count : it->attempt;
	char message[DEATH_WHY_SIZE + 64], leaf[SN_ATTEMPT_SIZE];
	struct sn_workitem wi;
	int r;

	item_leaf(it, leaf);
	(void)snprintf(message, sizeof message, "%s: %s (%u attempts)", x->name, why,
		       tried); /* cut if ever */
	r = read_body(x, leaf, &body);
	if (r == -ENOENT) {
		r = 0; /* retired meanwhile */
		goto out;
	}
	if (r == 0)
		r = splice_error(x, &body, message, ring, &reply);
	if (r == 0) {
		sn_workitem_read(body.data, body.len, &wi);
		r = store(x, it, leaf, &reply, wi.forget);
	}
	if (r == 0) {
		sn_err("name=%s: given up after %u attempts, error reply: %s", it->name, tried, message);
		deaths_forget(&x->deaths, it->name);
	}
out:
	sn_buf_release(&body);
	sn_buf_release(&reply);
	return r;
}
