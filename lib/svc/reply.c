#include "svc/reply.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "data/name.h"
#include "svc/cli.h"
#include "svc/pretty.h"

enum { LINES_MAX = 1024 };

/* The members of workers[] and of its `workitem`. */
enum { W_ID, W_PID, W_STATE, W_SINCE, W_WORKITEM, W_LINE, WORKER_KEYS };
static const char *const WORKER[] = {"id", "pid", "state", "since", "workitem", "last_line"};
enum { I_NAME, I_WFID, I_EXPID, I_ATTEMPT, I_SINCE, I_CANCELLED, ITEM_KEYS };
static const char *const ITEM[] = {"name", "wfid", "expid", "attempt", "since", "cancelled"};
enum { A_NAME, A_ANSWER, A_ERROR, A_ABSENT, ANSWER_KEYS };
static const char *const ANSWER_LINE[] = {"name", "answer", "error", "absent"};

void sn_reply_keep(struct sn_reply *rep, const char *type, struct sn_span line)
{
	if (strcmp(type, "status") == 0 && rep->status == NULL) {
		rep->status = sn_strndup(line.data, line.len);
	} else if (strcmp(type, "answer") == 0 && rep->count < LINES_MAX) {
		rep->answers = sn_realloc(rep->answers, (rep->count + 1) * sizeof *rep->answers);
		rep->answers[rep->count++] = sn_strndup(line.data, line.len);
	}
}

void sn_reply_release(struct sn_reply *rep)
{
	for (size_t i = 0; i < rep->count; i++)
		free(rep->answers[i]);
	free(rep->answers);
	free(rep->status);
	*rep = (struct sn_reply){0};
}

/* Members of a kept line, or of an object in one; none where there is none. */
static void members(struct sn_span object, const char *const *keys, struct sn_span *ret, size_t count)
{
	if (object.data == NULL || sn_json_object(object.data, object.len, keys, ret, count) < 0)
		memset(ret, 0, count * sizeof *ret);
}

static struct sn_span whole(const char *line)
{
	return (struct sn_span){.data = line, .len = line == NULL ? 0 : strlen(line)};
}

struct sn_span sn_reply_member(struct sn_span object, const char *key)
{
	struct sn_span v;

	members(object, &key, &v, 1);
	return v;
}

/* "for 12s (since 2026-11-22T10:54:43.865116Z)" */
static void print_since(struct sn_span since)
{
	char text[SN_TIME_TEXT_SIZE], age[16];
	int64_t us;

	(void)sn_json_text(since, text, sizeof text);
	if (sn_time_parse(text, &us) < 0)
		return;
	sn_cli_age(us, age);
	printf(" for %s (since %s)", age, text);
}

/* An answer of the handler's, indented below its title. */
static void print_answer(struct sn_span answer)
{
	struct sn_buf out = SN_BUF(1 << 24);
	char *rest, *line;

	if (sn_pretty(answer.data, answer.len, &out) == 0) {
		rest = out.data;
		for (bool first = true; (line = strsep(&rest, "\n")) != NULL && *line != '\0'; first = false)
			printf("%s%s\n", first ? "" : "            ", line);
	}
	sn_buf_release(&out);
}

static void print_status(const struct sn_reply *rep, struct sn_span name)
{
	struct sn_span v[ANSWER_KEYS] = {0};
	size_t i = 0;

	for (; i < rep->count; i++) {
		members(whole(rep->answers[i]), ANSWER_LINE, v, ANSWER_KEYS);
		if (v[A_NAME].data != NULL && name.data != NULL && v[A_NAME].len == name.len &&
		    memcmp(v[A_NAME].data, name.data, name.len) == 0)
			break;
	}
	fputs("  status    ", stdout);
	if (i == rep->count) {
		puts("the handler was not asked");
	} else if (v[A_ANSWER].data != NULL) {
		print_answer(v[A_ANSWER]);
	} else {
		sn_control_print(v[A_ERROR].data != NULL ? "its status() failed: " : "none: ",
				 v[A_ERROR].data != NULL ? v[A_ERROR] : v[A_ABSENT]);
		putchar('\n');
	}
}

/* A worker that runs a workitem: one block. */
static void print_worker(const struct sn_reply *rep, const char *name, const struct sn_span *w)
{
	struct sn_span v[ITEM_KEYS];

	members(w[W_WORKITEM], ITEM, v, ITEM_KEYS);
	printf("%s ", name);
	sn_control_print("", v[I_NAME]);
	sn_control_print("\n  process   ", v[I_WFID]);
	sn_control_print(" ", v[I_EXPID]);
	fputs(sn_json_is(v[I_CANCELLED], "true") ? "\n  cancelled, running" : "\n  running  ", stdout);
	print_since(v[I_SINCE]);
	sn_control_print(", attempt ", v[I_ATTEMPT]);
	sn_control_print(", worker pid ", w[W_PID]);
	sn_control_print("\n  log       ", w[W_LINE]);
	putchar('\n');
	print_status(rep, v[I_NAME]);
}

static void print_idle(const struct sn_span *w)
{
	sn_control_print("  worker ", w[W_ID]);
	sn_control_print(", pid ", w[W_PID]);
	sn_control_print(": ", w[W_STATE]);
	print_since(w[W_SINCE]);
	putchar('\n');
}

unsigned sn_reply_workers(const struct sn_reply *rep, const char *name, bool idle)
{
	struct sn_span workers = sn_reply_member(whole(rep->status), "workers"), one = {0}, v[WORKER_KEYS];
	unsigned shown = 0;

	while (sn_json_next(workers, &one)) {
		members(one, WORKER, v, WORKER_KEYS);
		if ((v[W_WORKITEM].data != NULL && v[W_WORKITEM].data[0] == '{') == idle)
			continue;
		if (idle)
			print_idle(v);
		else
			print_worker(rep, name, v);
		shown++;
	}
	return shown;
}

bool sn_reply_runs(const struct sn_reply *rep, const char *item)
{
	struct sn_span workers = sn_reply_member(whole(rep->status), "workers"), one = {0};
	char text[SN_NAME_SIZE + 1];

	while (sn_json_next(workers, &one)) {
		(void)sn_json_text(sn_reply_member(sn_reply_member(one, "workitem"), "name"), text,
				   sizeof text);
		if (strcmp(text, item) == 0)
			return true;
	}
	return false;
}

void sn_reply_head(const struct sn_reply *rep, const char *name)
{
	static const char *const KEYS[] = {"state", "pid", "since", "waiting", "reason"};
	const char *waiting;
	struct sn_span v[5];

	members(whole(rep->status), KEYS, v, 5);
	printf("%s: ", name);
	sn_control_print("", v[0]);
	print_since(v[2]);
	sn_control_print(", pid ", v[1]);
	sn_control_print("; ", sn_reply_member(v[3], "new"));
	waiting = sn_reply_member(v[3], "more").data != NULL ? " or more waiting, " : " waiting, ";
	sn_control_print(waiting, sn_reply_member(v[3], "ahead"));
	puts(" next");
	if (v[4].data != NULL) {
		sn_control_print("  reason    ", v[4]);
		putchar('\n');
	}
}

static const char *const *details(const char *event, const char **ret_before)
{
	static const char *const ANSWER[] = {"answer"}, *const ERROR[] = {"error"},
				 *const OUTCOME[] = {"outcome"};
	static const struct {
		const char *event, *before;
		const char *const *key;
	} TABLE[] = {
		{"acknowledged", ": ", ANSWER},
		{"failed", ": ", ERROR},
		{"finished", ": ", OUTCOME},
		{"killed", ": ", OUTCOME},
	};

	for (size_t i = 0; i < SN_COUNT(TABLE); i++) {
		if (strcmp(TABLE[i].event, event) == 0) {
			*ret_before = TABLE[i].before;
			return TABLE[i].key;
		}
	}
	return NULL;
}

void sn_reply_event(const char *name, struct sn_span line)
{
	static const char *const KEYS[] = {"name", "event"};
	struct sn_span v[2], detail = {0};
	const char *before = "", *const * key;
	char event[32];

	if (sn_json_object(line.data, line.len, KEYS, v, 2) < 0)
		return; /* was checked */
	(void)sn_json_text(v[1], event, sizeof event);
	printf("%s ", name);
	sn_control_print("", v[0]);
	sn_control_print(" ", v[1]);
	key = details(event, &before);
	if (key != NULL && sn_json_object(line.data, line.len, key, &detail, 1) == 0 && detail.data != NULL)
		sn_control_print(before, detail);
	putchar('\n');
}
