#include "reject.h"

#include <cjson/cJSON.h>
#include <fcntl.h>
#include <stdlib.h>

#include "data/json.h"
#include "spool/deliver.h"
#include "spool/retire.h"
#include "sys/dir.h"

void reject_entry(struct participant *p, const char *leaf)
{
	char aside[64];

	sn_warn("participant=%s entry=%.100s: does not belong into result/new, removed", p->name, leaf);
	if (unlinkat(p->spool.result, leaf, 0) == 0 || errno == ENOENT)
		return;
	/* A directory stays the participant's, out of our way. */
	(void)snprintf(aside, sizeof aside, "bad.%lld", (long long)sn_clock_mono_ns());
	if (renameat(p->spool.result, leaf, p->spool.tmp, aside) < 0)
		participant_set_error(p, "cannot clear result/new: %s", strerror(errno));
}

void reject_orphan(struct participant *p, const char *name)
{
	struct sn_result_file f = {.text = SN_BUF(p->config.participant.max_size_bytes + 65536)};
	const bool retired = sn_retired(&p->spool, name) == 1;
	int r = sn_result_read(&p->spool, name, p->uid, &f);
	int dir;

	if (r == 0 && retired) { /* S7: steps 2 to 4 again */
		struct item half = {.p = p, .result = f};
		SN_AUTOFREE char *log = reject_log(&half);
		const struct sn_retirement again = {.name = name,
						    .failed = log != NULL,
						    .attempt = f.head.attempt,
						    .max_attempts = p->config.participant.max_attempts,
						    .result = f.text.data,
						    .result_len = f.text.len,
						    .log = log};

		r = sn_retire(&p->spool, &again);
		sn_info("participant=%s name=%s: retirement finished: %s", p->name, name,
			r < 0 ? strerror(-r) : "ok");
		recent_add(p, name);
	} else if (r != -ENOENT && r != -EMLINK) {
		dir = sn_spool_failed_dir(&p->spool, name);
		if (r == 0 && dir >= 0) {
			static const char WHY[] = "a result, but no such workitem is open\n";

			r = sn_deliver_aside(dir, name, ".result", f.text.data, f.text.len);
			if (r == 0)
				r = sn_deliver_aside(dir, name, ".log", WHY, sizeof WHY - 1);
			if (r < 0)
				sn_err("participant=%s name=%s: cannot keep an orphaned result: %s", p->name,
				       name, strerror(-r));
		}
		reject_entry(p, name);
	}
	sn_result_release(&f);
}

static const char *reason(int error)
{
	switch (error) {
	case -EPERM:
		return "the result belongs to another user";
	case -EFBIG:
		return "the result is too large";
	case -EBADMSG:
		return "the result is cut short or damaged";
	case -EINVAL:
		return "the result is malformed, or no regular file";
	default:
		return strerror(-error);
	}
}

void reject_result(struct item *it, int error)
{
	struct participant *p = it->p;
	const unsigned max = p->config.participant.max_attempts;
	char leaf[SN_ATTEMPT_SIZE];
	int r;

	sn_warn("participant=%s name=%s: %s", p->name, it->name, reason(error));
	if (++it->rejects >= max || it->cancelled) { /* what is cancelled is not tried again */
		item_fail_invalid(it, reason(error));
		/* Failing again (no memory, no open/NAME) leaves it to reconcile. */
		item_set_state(it, it->log != NULL ? ITEM_READY : ITEM_OPEN);
		reject_entry(p, it->name);
		return;
	}
	item_keep_rejected(it);
	reject_entry(p, it->name);
	for (unsigned a = 1; a <= max + 1; a++) {
		sn_attempt_format(it->name, a, leaf);
		r = sn_dir_unlink(p->spool.cur, leaf);
		if (r < 0)
			sn_debug("name=%s: %s", leaf, strerror(-r)); /* a planted directory */
	}
	r = sn_deliver_link(&p->spool, it->name);
	if (r < 0)
		sn_warn("participant=%s name=%s: cannot link into new/: %s", p->name, it->name, strerror(-r));
	item_set_state(it, ITEM_OPEN);
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
