/* Answers made of the workitem's own bytes. */
#include "base/log.h"
#include "svc/worker.h"

enum { TRACE_LINES = 20, TRACE_LINE_SIZE = 256, MESSAGE_SIZE = 512 };

/* The last lines of text, oldest first, each cut where it is too long; empty ones do not count. */
static size_t last_lines(const char *text, size_t len, char lines[TRACE_LINES][TRACE_LINE_SIZE])
{
	size_t found = 0;

	while (len > 0 && found < TRACE_LINES) {
		const char *nl = memrchr(text, '\n', len);
		const char *from = nl != NULL ? nl + 1 : text;
		size_t n = (size_t)(text + len - from);

		len = nl != NULL ? (size_t)(nl - text) : 0;
		if (n == 0)
			continue;
		found++;
		(void)snprintf(lines[TRACE_LINES - found], TRACE_LINE_SIZE, "%.*s",
			       (int)(n < TRACE_LINE_SIZE ? n : TRACE_LINE_SIZE), from);
	}
	return found;
}

void sn_worker_look(struct sn_worker *w)
{
	sn_workitem_read(w->job.body.data, w->job.body.len, &w->job.item);
}

static void answer(struct sn_worker *w, enum sn_outcome outcome, struct sn_answer *ret)
{
	ret->outcome = outcome;
	ret->send = w->job.item.forget ? SN_SEND_NOTHING : SN_SEND_REPLY;
	ret->body = w->reply.data;
	ret->len = w->reply.len;
}

void sn_worker_error(struct sn_worker *w, const char *message, const char *text, size_t len,
		     struct sn_answer *ret)
{
	char lines[TRACE_LINES][TRACE_LINE_SIZE], whole[MESSAGE_SIZE];
	const char *trace[TRACE_LINES];
	const size_t count = last_lines(text, len, lines);
	struct sn_error_reply e = {.class_name = w->config.participant.error_class,
				   .message = whole,
				   .trace = trace,
				   .count = count};
	int r;

	for (size_t i = 0; i < count; i++)
		trace[i] = lines[TRACE_LINES - count + i];
	(void)snprintf(whole, sizeof whole, "%s%s%s", message, count > 0 ? ": " : "",
		       count > 0 ? trace[count - 1] : ""); /* cut: the trace has it */
	sn_err("%s", whole);
	sn_buf_reset(&w->reply);
	r = sn_workitem_add_error(w->job.body.data, w->job.body.len, &e, &w->reply);
	if (r < 0) { /* no workitem at all: the bridge lets none such through */
		sn_err("no error reply can be made: %s", strerror(-r));
		_exit(1);
	}
	answer(w, SN_ERROR_REPLY, ret);
}

/* Why these bytes are no reply to the workitem; NULL if they are one. */
static const char *refused(const struct sn_worker *w, const char *json, size_t len)
{
	static const char *const ERROR[] = {"error"};
	struct sn_span error;
	const char *why = NULL;

	if (len > w->config.participant.max_size_bytes)
		return "the reply is larger than max_size";
	if (sn_workitem_check_reply(w->job.item.fei_raw, json, len, &why) < 0)
		return why;
	if (sn_json_object(json, len, ERROR, &error, 1) == 0 && error.data != NULL && error.data[0] != 'n' &&
	    error.data[0] != 'f')
		return "the reply has an `error` of its own"; /* a wrong class in it would hang the process */
	return NULL;
}

static bool is_blank(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && text[i] != '\0' && strchr(" \t\r\n", text[i]) != NULL)
		i++;
	return i == len;
}

void sn_worker_reply(struct sn_worker *w, const char *json, size_t len, bool result, struct sn_answer *ret)
{
	const char *why = NULL;
	int r;

	if (is_blank(json, len)) {
		json = w->job.body.data;
		len = w->job.body.len;
	} else {
		why = refused(w, json, len);
	}
	if (why == NULL) {
		sn_buf_reset(&w->reply);
		r = sn_workitem_set_result(json, len, result, &w->reply);
		if (r < 0)
			why = r == -E2BIG ? "the reply is too large" : "the workitem has no object in fields";
	}
	if (why != NULL)
		sn_worker_error(w, why, "", 0, ret);
	else
		answer(w, SN_OK, ret);
}
