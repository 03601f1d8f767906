#include "data/result.h"

#include <stdlib.h>

static const char *const OUTCOMES[SN_OUTCOMES] = {
	[SN_OK] = "ok",
	[SN_ERROR_REPLY] = "error",
	[SN_CRASH] = "crash",
	[SN_TIMED_OUT] = "timeout",
	[SN_CANCELLED] = "cancelled",
	[SN_INVALID] = "invalid",
};
static const char *const SENDS[SN_SENDS] = {
	[SN_SEND_REPLY] = "reply",
	[SN_SEND_NOTHING] = "nothing",
	[SN_SEND_MESSAGE] = "message",
	[SN_SEND_LAUNCH] = "launch",
};

static int look_up(const char *const *table, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(table[i], word) == 0)
			return (int)i;
	}
	return -EINVAL;
}

const char *sn_outcome_name(enum sn_outcome o)
{
	return OUTCOMES[o];
}

const char *sn_send_name(enum sn_send s)
{
	return SENDS[s];
}

int sn_outcome_parse(const char *word, enum sn_outcome *ret)
{
	int i = look_up(OUTCOMES, SN_OUTCOMES, word);

	if (i < 0)
		return i;
	*ret = (enum sn_outcome)i;
	return 0;
}

int sn_send_parse(const char *word, enum sn_send *ret)
{
	int i = look_up(SENDS, SN_SENDS, word);

	if (i < 0)
		return i;
	*ret = (enum sn_send)i;
	return 0;
}

static char *put_line(char *to, const char *key, const char *value)
{
	return stpcpy(stpcpy(stpcpy(to, key), value), "\n");
}

static char *put_number(char *to, const char *key, uint64_t number)
{
	char digits[24], *d = digits + sizeof digits;

	*--d = '\0';
	do
		*--d = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	return put_line(to, key, d);
}

static char *put_time(char *to, const char *key, int64_t us)
{
	char text[SN_TIME_TEXT_SIZE];

	sn_time_format(us, text);
	return put_line(to, key, text);
}

/* By hand: one of these is made for each workitem, and printf takes ten times as long. */
int sn_result_format(const struct sn_result *res, struct sn_buf *out)
{
	char *const from = sn_buf_reserve(out, SN_RESULT_HEADER_MAX), *to = from;

	if (from == NULL)
		return -E2BIG;
	to = put_line(to, "outcome: ", OUTCOMES[res->outcome]);
	to = put_number(to, "attempt: ", res->attempt);
	to = put_time(to, "started: ", res->started_us);
	to = put_time(to, "finished: ", res->finished_us);
	to = put_line(to, "send: ", SENDS[res->send]);
	to = put_number(to, "length: ", res->length);
	if (res->sha256[0] != '\0')
		to = put_line(to, "sha256: ", res->sha256);
	if (res->name[0] != '\0')
		to = put_line(to, "workitem: ", res->name);
	if (res->message > 0)
		to = put_number(to, "message: ", res->message);
	to = stpcpy(to, "\n");
	out->len += (size_t)(to - from);
	return 0;
}

/* A decimal number of at most 18 digits. */
static int parse_number(const char *text, uint64_t *ret)
{
	size_t len = strlen(text);

	if (len < 1 || len > 18 || strspn(text, "0123456789") != len)
		return -EINVAL;
	*ret = strtoull(text, NULL, 10);
	return 0;
}

enum field {
	F_OUTCOME,
	F_ATTEMPT,
	F_STARTED,
	F_FINISHED,
	F_SEND,
	F_LENGTH,
	F_SHA256,
	F_WORKITEM,
	F_MESSAGE,
	F_COUNT
};
enum { OPTIONAL = 1u << F_SHA256 | 1u << F_WORKITEM | 1u << F_MESSAGE };
static const char *const FIELDS[F_COUNT] = {
	[F_OUTCOME] = "outcome",   [F_ATTEMPT] = "attempt",   [F_STARTED] = "started",
	[F_FINISHED] = "finished", [F_SEND] = "send",	      [F_LENGTH] = "length",
	[F_SHA256] = "sha256",	   [F_WORKITEM] = "workitem", [F_MESSAGE] = "message",
};

static int take_field(enum field f, const char *value, struct sn_result *res)
{
	uint64_t n = 0;
	int r;

	switch (f) {
	case F_OUTCOME:
		return sn_outcome_parse(value, &res->outcome);
	case F_ATTEMPT:
		r = parse_number(value, &n);
		res->attempt = (unsigned)n;
		return r < 0 || n < 1 || n > 999 ? -EINVAL : 0;
	case F_STARTED:
		return sn_time_parse(value, &res->started_us);
	case F_FINISHED:
		return sn_time_parse(value, &res->finished_us);
	case F_SEND:
		return sn_send_parse(value, &res->send);
	case F_LENGTH:
		r = parse_number(value, &n);
		res->length = (size_t)n;
		return r;
	case F_SHA256:
		if (strlen(value) != 64 || strspn(value, "0123456789abcdef") != 64)
			return -EINVAL;
		memcpy(res->sha256, value, 65);
		return 0;
	case F_WORKITEM:
		if (!sn_name_valid(value))
			return -EINVAL;
		memcpy(res->name, value, strlen(value) + 1); /* valid: it fits */
		return 0;
	case F_MESSAGE:
		r = parse_number(value, &n);
		res->message = (unsigned)n;
		return r < 0 || n < 1 || n > SN_MESSAGE_MAX ? -EINVAL : 0;
	case F_COUNT:
		break;
	}
	return -EINVAL;
}

/* One "key: value" line of len bytes. Returns the field or -EINVAL. */
static int take_line(const char *line, size_t len, struct sn_result *res)
{
	char copy[128], *colon;
	int f, r;

	if (len >= sizeof copy || memchr(line, '\0', len) != NULL)
		return -EINVAL;
	memcpy(copy, line, len);
	copy[len] = '\0';
	colon = strstr(copy, ": ");
	if (colon == NULL)
		return -EINVAL;
	*colon = '\0';
	f = look_up(FIELDS, F_COUNT, copy);
	if (f < 0)
		return f;
	r = take_field((enum field)f, colon + 2, res);
	return r < 0 ? r : f;
}

int sn_result_parse_head(const char *text, size_t len, struct sn_result *ret, size_t *ret_body_at)
{
	struct sn_result res = {0};
	unsigned seen = 0;
	size_t at = 0;

	for (;;) {
		const char *nl = memchr(text + at, '\n', len - at < 128 ? len - at : 128);
		size_t n;
		int f;

		if (nl == NULL)
			return len - at < 128 && len < SN_RESULT_HEADER_MAX ? -EAGAIN : -EINVAL;
		n = (size_t)(nl - (text + at));
		if (n == 0)
			break;
		f = take_line(text + at, n, &res);
		if (f < 0 || (seen & 1u << f) != 0)
			return -EINVAL;
		seen |= 1u << f;
		at += n + 1;
	}
	if ((seen | OPTIONAL) != (1u << F_COUNT) - 1)
		return -EINVAL;
	*ret_body_at = at + 1;
	*ret = res;
	return 0;
}

int sn_result_parse(const char *text, size_t len, struct sn_result *ret, size_t *ret_body_at)
{
	int r = sn_result_parse_head(text, len, ret, ret_body_at);

	if (r < 0)
		return r == -EAGAIN ? -EINVAL : r;
	return len - *ret_body_at == ret->length ? 0 : -EBADMSG;
}
