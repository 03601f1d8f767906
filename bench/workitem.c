#include "workitem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- building ---------------------------------------------------------- */

struct text {
	char *buf;
	size_t len, cap;
};

__attribute__((format(printf, 2, 3))) static bool append(struct text *t, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(t->buf + t->len, t->cap - t->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->cap - t->len)
		return false; /* would not fit: the caller drops this part */
	t->len += (size_t)n;
	return true;
}

static void make_run_prefix(char *out, size_t size)
{
	struct timespec ts;
	struct tm tm;
	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	uint32_t salt = (uint32_t)ts.tv_nsec ^ ((uint32_t)getpid() << 12);
	snprintf(out, size, "%04d%02d%02d-%02d%02d-wiload-%08x-", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, (unsigned)salt);
}

/* The tail after fields.actions; the comment string absorbs the padding. */
static const char TAIL_FMT[] = "],\"comment\":\"%*s\"},\"project\":\"Project:Trunk:Testing\","
			       "\"repository\":\"latest_i486\",\"status\":\"NEW\","
			       "\"dispatched_at\":\"2026-01-01 12:00:00.123456 UTC\"},"
			       "\"participant_name\":\"%s\",\"wf_name\":\"BOSS_handle_SR\","
			       "\"wf_revision\":null,\"wf_launched_at\":"
			       "\"2026-01-01 11:59:59.654321 UTC\"}";

bool workitem_build(struct workitem_template *tpl, const char *participant, size_t size)
{
	make_run_prefix(tpl->run_prefix, sizeof tpl->run_prefix);
	struct text t = {.buf = malloc(size + 1), .cap = size + 1};
	tpl->json = t.buf;
	if (t.buf == NULL || size < WORKITEM_MIN_SIZE)
		goto fail;

	if (!append(&t, "{\"fei\":{\"engine_id\":\"engine\",\"wfid\":\"%s", tpl->run_prefix))
		goto fail;
	tpl->seq_digits = t.buf + t.len;
	if (!append(&t,
		    "%0*d\",\"subid\":\"5b1a1d6b3f6e4d0c9a8e7f6051423324\","
		    "\"expid\":\"0_1_0\"},\"fields\":{\"params\":{\"ref\":"
		    "\"%s\",\"role\":\"release-manager\"},\"ev\":{\"id\":4711,"
		    "\"type\":\"OBS_SRCSRV_REQUEST_CREATE\",\"who\":\"alice\","
		    "\"namespace\":\"mer\",\"actions\":[",
		    WORKITEM_SEQ_DIGITS, 0, participant))
		goto fail;

	/* As many submit actions as fit, then spaces up to the wanted size. */
	int tail_len = snprintf(NULL, 0, TAIL_FMT, 0, "", participant);
	for (unsigned i = 0;; i++) {
		size_t mark = t.len;
		bool fits = append(&t,
				   "%s{\"type\":\"submit\",\"sourceproject\":\"home:alice:branch\","
				   "\"sourcepackage\":\"package-%04u\",\"sourcerevision\":\"%u\","
				   "\"targetproject\":\"Project:Trunk\",\"targetpackage\":"
				   "\"package-%04u\"}",
				   i != 0 ? "," : "", i, i * 7 % 100, i);
		if (!fits || t.len + (size_t)tail_len > size) {
			t.len = mark;
			break;
		}
	}
	if (t.len + (size_t)tail_len > size)
		goto fail;
	int padding = (int)(size - t.len - (size_t)tail_len);
	if (!append(&t, TAIL_FMT, padding, "", participant))
		goto fail;
	tpl->len = t.len;
	return true;

fail:
	workitem_free(tpl);
	return false;
}

void workitem_set_seq(struct workitem_template *tpl, size_t seq)
{
	for (int i = WORKITEM_SEQ_DIGITS - 1; i >= 0; i--) {
		tpl->seq_digits[i] = (char)('0' + seq % 10);
		seq /= 10;
	}
}

void workitem_free(struct workitem_template *tpl)
{
	free(tpl->json);
	tpl->json = NULL;
}

/* ---- reading ----------------------------------------------------------- */

static const char *skip_space(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
		p++;
	return p;
}

/* p is at the opening quote; returns the byte after the closing one. */
static const char *skip_string(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		if (*p == '\\')
			p++;
		else if (*p == '"')
			return p + 1;
	}
	return NULL;
}

static const char *skip_value(const char *p, const char *end)
{
	int depth = 0;
	while (p < end) {
		switch (*p) {
		case '"':
			if ((p = skip_string(p, end)) == NULL)
				return NULL;
			break;
		case '{':
		case '[':
			depth++;
			p++;
			break;
		case '}':
		case ']':
			if (depth == 0)
				return p; /* end of the enclosing object, after a scalar */
			depth--;
			p++;
			break;
		case ',':
			if (depth == 0)
				return p;
			p++;
			continue;
		default:
			p++;
			continue;
		}
		if (depth == 0)
			return p;
	}
	return NULL;
}

bool json_member(const char **json, size_t *len, const char *key)
{
	const char *p = *json, *end = *json + *len;
	size_t key_len = strlen(key);

	p = skip_space(p, end);
	if (p == end || *p != '{')
		return false;
	p++;
	for (;;) {
		p = skip_space(p, end);
		if (p == end || *p != '"')
			return false;
		const char *name = p + 1;
		if ((p = skip_string(p, end)) == NULL)
			return false;
		size_t name_len = (size_t)(p - 1 - name);
		p = skip_space(p, end);
		if (p == end || *p != ':')
			return false;
		p = skip_space(p + 1, end);
		const char *value = p;
		if ((p = skip_value(p, end)) == NULL)
			return false;
		if (name_len == key_len && memcmp(name, key, key_len) == 0) {
			*json = value;
			*len = (size_t)(p - value);
			return true;
		}
		p = skip_space(p, end);
		if (p == end || *p != ',')
			return false;
		p++;
	}
}

/* True if the raw scalar value starts with `word` ("true", "null", ...). */
static bool value_is(const char *json, size_t len, const char *word)
{
	size_t n = strlen(word);
	return len >= n && memcmp(json, word, n) == 0;
}

struct workitem_reply workitem_parse(const struct workitem_template *tpl, const char *json, size_t len)
{
	struct workitem_reply reply = {.kind = WORKITEM_MALFORMED};
	const char *v = json;
	size_t n = len;

	if (!json_member(&v, &n, "fei") || !json_member(&v, &n, "wfid") || n < 2 || v[0] != '"')
		return reply;
	v++; /* the string without its quotes */
	n -= 2;
	reply.kind = WORKITEM_FOREIGN;
	size_t prefix_len = strlen(tpl->run_prefix);
	if (n != prefix_len + WORKITEM_SEQ_DIGITS || memcmp(v, tpl->run_prefix, prefix_len) != 0)
		return reply;
	size_t seq = 0;
	for (size_t i = prefix_len; i < n; i++) {
		if (v[i] < '0' || v[i] > '9')
			return reply;
		seq = seq * 10 + (size_t)(v[i] - '0');
	}
	reply.kind = WORKITEM_OURS;
	reply.seq = seq;

	v = json;
	n = len;
	if (json_member(&v, &n, "fields") && json_member(&v, &n, "__result__"))
		reply.result_true = value_is(v, n, "true");
	v = json;
	n = len;
	if (json_member(&v, &n, "error"))
		reply.has_error = !value_is(v, n, "null");
	return reply;
}
