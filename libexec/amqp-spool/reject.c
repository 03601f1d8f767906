#include "reject.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <stdlib.h>

#include "data/json.h"
#include "spool/claim.h"
#include "spool/deliver.h"
#include "spool/retire.h"
#include "sys/dir.h"

enum { RETRY_S = 60 };

void reject_entry(struct participant *p, const char *leaf)
{
	char aside[64];

	sn_warn("participant=%s entry=%.100s: does not belong into work/result, removed", p->name, leaf);
	if (unlinkat(p->spool.result, leaf, 0) == 0 || errno == ENOENT)
		return;
	/* A directory stays the participant's, out of our way. */
	(void)snprintf(aside, sizeof aside, "bad.%lld", (long long)sn_clock_mono_ns());
	if (renameat(p->spool.result, leaf, p->spool.result, aside) < 0)
		participant_set_error(p, "cannot clear work/result: %s", strerror(errno));
}

void reject_orphan(struct journal *j, const struct sn_record *rec)
{
	static const char LOG[] = "a result, but no such workitem is open\n";
	struct participant *p = j->p;
	const char *name = rec->head.name;
	struct sn_result_file f = {.text = SN_BUF(p->config.participant.max_size_bytes + 65536)};
	int r, dir;

	if (sn_retired(&p->spool, name) == 1) /* S7 */
		return;
	r = sn_result_read(j->fd, rec, &f);
	dir = sn_spool_failed_dir(&p->spool, name);
	if (r == 0 && dir >= 0) {
		sn_warn("participant=%s name=%s: %.*s", p->name, name, (int)sizeof LOG - 2, LOG);
		r = sn_deliver_aside(dir, name, ".result", f.text.data, f.text.len);
		if (r == 0)
			r = sn_deliver_aside(dir, name, ".log", LOG, sizeof LOG - 1);
		if (r < 0 && r != -EEXIST) /* kept by a former bridge */
			sn_err("participant=%s name=%s: cannot keep an orphaned result: %s", p->name, name,
			       strerror(-r));
	}
	sn_result_release(&f);
}

bool reject_is_passing(int error)
{
	return error == -ENOMEM || error == -EMFILE || error == -ENFILE;
}

const char *reject_reason(int error)
{
	switch (error) {
	case -EFBIG:
		return "the result is too large";
	case -EBADMSG:
		return "the result is cut short or damaged";
	case -EINVAL:
		return "the result is malformed";
	default:
		return strerror(-error);
	}
}

/* By a bridge before us: what exo makes of the workitem now is another answer. */
static bool was_rejected(const struct item *it)
{
	int dir = sn_spool_failed_dir(&it->p->spool, it->name);
	struct sn_buf kept = SN_BUF(it->result.text.len + 1);
	char leaf[SN_NAME_SIZE + 16];
	bool same;

	(void)snprintf(leaf, sizeof leaf, "%s.rejected", it->name); /* fits */
	same = dir >= 0 && sn_dir_read(dir, leaf, &kept) == 0 && kept.len == it->result.text.len &&
	       kept.len > 0 && memcmp(kept.data, it->result.text.data, kept.len) == 0;
	sn_buf_release(&kept);
	return same;
}

/* True: there is no more to it. */
static bool is_passed_over(struct item *it)
{
	if (journals_next_answer(it)) {
		item_keep_rejected(it);
		item_set_state(it, ITEM_READY);
		return true;
	}
	if (it->rejects > 0 || it->cancelled || !was_rejected(it))
		return false;
	it->spoilt = true;
	journals_forget(it);
	item_set_state(it, ITEM_OPEN);
	return true;
}

static void give_up(struct item *it, int error)
{
	struct participant *p = it->p;

	if (it->journal != NULL && faccessat(p->spool.open, it->name, F_OK, AT_SYMLINK_NOFOLLOW) < 0 &&
	    errno == ENOENT) {
		reject_orphan(it->journal, &it->record);
		item_ack(it);
		item_remove(it);
	} else if (item_fail_invalid(it, reject_reason(error))) {
		item_set_state(it, ITEM_READY);
	} else { /* no memory, say */
		it->retry_at_ns = sn_clock_mono_ns() + (int64_t)RETRY_S * 1000000000;
		item_set_state(it, ITEM_WAITING);
	}
}

/* Its worker may not have unlocked yet: exo sees to that. */
static void ring(const struct item *it)
{
	int r = sn_deliver_again(&it->p->spool, it->name);

	if (r < 0)
		sn_warn("participant=%s name=%s: cannot be handed to exo again yet: %s", it->p->name,
			it->name, strerror(-r));
}

void reject_result(struct item *it, int error)
{
	struct participant *p = it->p;

	sn_warn("participant=%s name=%s: %s", p->name, it->name, reject_reason(error));
	if (is_passed_over(it))
		return;
	/* What is cancelled is not tried again. -ENOENT: somebody has removed open/NAME. */
	if (++it->rejects >= p->config.participant.max_attempts || it->cancelled || error == -ENOENT) {
		give_up(it, error);
		return;
	}
	item_keep_rejected(it);
	journals_forget(it);
	item_set_state(it, ITEM_OPEN);
	it->spoilt = true;
	ring(it);
}

void reject_reconcile(const struct item *it)
{
	if (it->spoilt && it->state == ITEM_OPEN && sn_claimed(&it->p->spool, it->name) == 0)
		ring(it);
}

/* Appends error.message and error.trace of a reply, as lines. */
static int add_error_text(struct sn_buf *out, struct sn_span error)
{
	cJSON *e = error.len <= 1 << 20 ? cJSON_ParseWithLength(error.data, error.len) : NULL;
	const cJSON *message = cJSON_GetObjectItemCaseSensitive(e, "message"), *line;
	int r = 0;

	if (cJSON_IsString(message))
		r = sn_buf_addf(out, "%s\n", message->valuestring);
	cJSON_ArrayForEach(line, cJSON_GetObjectItemCaseSensitive(e, "trace"))
	{
		if (r == 0 && cJSON_IsString(line))
			r = sn_buf_addf(out, "  %s\n", line->valuestring);
	}
	cJSON_Delete(e);
	return r;
}

char *reject_log(const struct item *it)
{
	static const char *const KEYS[] = {"error"};
	const struct sn_result *head = &it->result.head;
	struct sn_buf out = SN_BUF(1 << 20);
	struct sn_span error;
	int r;

	if (head->outcome != SN_CRASH && head->outcome != SN_TIMED_OUT && head->outcome != SN_INVALID)
		return NULL;
	r = sn_buf_addf(&out, "outcome: %s\nattempt: %u\n", sn_outcome_name(head->outcome), head->attempt);
	if (r == 0 &&
	    sn_json_object(it->result.text.data + it->result.body_at, head->length, KEYS, &error, 1) == 0 &&
	    error.data != NULL)
		r = add_error_text(&out, error);
	if (r < 0)
		sn_debug("name=%s: log cut", it->name); /* what fits is kept */
	return out.data;
}
