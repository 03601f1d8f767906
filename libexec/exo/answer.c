/* Results that exo itself writes: error replies in place of the handler's, and what is kept but not sent. */
#include "answer.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "cancel.h"
#include "data/workitem.h"
#include "exo.h"
#include "spool/result.h"
#include "sys/dir.h"
#include "sys/fd.h"

enum { REPLY_EXTRA_BYTES = 64 << 10 };

static int read_file(int dirfd, const char *leaf, struct sn_buf *b)
{
	SN_AUTOFD int fd = sn_dir_open_hostile(dirfd, leaf);
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return sn_fd_read_all(fd, b);
}

static int splice_error(struct exo *x, const struct sn_buf *body, const struct answer *a, struct sn_buf *ret)
{
	const char *lines[RING_LINES];
	struct sn_error_reply e = {
		.class_name = x->config.participant.error_class, .message = a->message, .trace = lines};

	while (e.count < RING_LINES && (lines[e.count] = ring_line(a->ring, (unsigned)e.count)) != NULL)
		e.count++;
	return sn_workitem_add_error(body->data, body->len, &e, ret);
}

static int store(struct exo *x, const struct sn_result *res, const struct sn_buf *reply)
{
	/* No digest (exo has no library for it): the journal is synced instead. */
	int r = sn_result_write(&x->spool, res, reply->data, reply->len, true);

	if (r == -ENOSPC || r == -EDQUOT)
		room_wait(x, reply->len, -r);
	return r;
}

static void forget(struct exo *x, const struct item *it)
{
	lately_add(&x->answered, it->name);
	deaths_forget(&x->deaths, it->name);
	note_answered(x, it);
}

int answer_make(struct exo *x, const struct item *it, const struct answer *a)
{
	size_t max = x->config.participant.max_size_bytes;
	struct sn_buf body = SN_BUF(max + 1), reply = SN_BUF(2 * max + REPLY_EXTRA_BYTES);
	struct sn_result res = {
		.outcome = a->outcome, .attempt = it->attempt, .started_us = sn_clock_real_us()};
	struct sn_workitem wi;
	int r;

	memcpy(res.name, it->name, sizeof res.name);
	r = read_file(x->spool.open, it->name, &body);
	if (r == 0) {
		sn_workitem_read(body.data, body.len, &wi);
		res.send = a->silent || wi.forget ? SN_SEND_NOTHING : SN_SEND_REPLY;
		res.finished_us = res.started_us;
		r = splice_error(x, &body, a, &reply);
	}
	if (r == 0)
		r = store(x, &res, &reply);
	sn_buf_release(&body);
	sn_buf_release(&reply);
	if (r == 0)
		sn_log(a->outcome == SN_CANCELLED ? SN_INFO : SN_ERROR,
		       "name=%s attempt=%u: error reply%s: %s", it->name, it->attempt,
		       res.send == SN_SEND_NOTHING ? ", kept and not sent" : "", a->message);
	else if (r != -ENOENT)
		sn_err("name=%s attempt=%u: cannot be answered, tried again later: %s: %s", it->name,
		       it->attempt, a->message, strerror(-r));
	if (r == 0 || r == -ENOENT) /* ENOENT: retired meanwhile */
		forget(x, it);
	return r == -ENOENT ? 0 : r;
}

int answer_unless_held(struct exo *x, const struct item *it, const struct answer *a)
{
	struct stat st;
	SN_AUTOFD int lock = sn_claim(&x->spool, it->name, &st); /* until the answer is there */

	if (lock == -EAGAIN || (lock == -ENOENT && sn_claim_held(&x->spool, it->name))) {
		sn_info("name=%s: held, or in hand: no error reply now", it->name);
		return -EBUSY;
	}
	return answer_make(x, it, a); /* which sees what else is wrong, or that it is gone */
}

void answer_stored(struct exo *x, const struct item *it, const char *outcome)
{
	struct cancel *k = x->control.cancels != NULL ? cancel_find(x, it->name) : NULL;

	forget(x, it);
	if (k != NULL)
		cancel_finished(k, outcome);
}
