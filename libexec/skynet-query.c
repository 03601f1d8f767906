/* Asks running participants what they are doing: all of one, or those that hold workitems of a process. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "svc/enquiry.h"
#include "svc/pretty.h"
#include "svc/service.h"

enum { OPT_JSON = SN_OPT_FIRST, LINES_MAX = 1024 };

static const struct sn_option OPTIONS[] = {
	{OPT_JSON, "json", NULL, "as a JSON array, an object for each participant"},
	{'t', "timeout", "S", "how long handlers may take to answer (default 0.1; 0: do not ask them)"},
	{0},
};
static const struct sn_command COMMAND = {
	"skynet query", "[--json] [--timeout S] NAME|WFID|WORKITEM",
	"Asks running participants what they are doing. Of participant NAME all workers are shown; of the\n"
	"process WFID, or of one WORKITEM, whatever is done to it on this host. What exo knows is there at once\n"
	"and always: since when, which attempt, the last line of its log; below it what the handler's own\n"
	"status() says, or why it says nothing.\n\n"
	"Exit code: 0; 3 NAME does not run; 4 no such participant, or not open here; 75 it does not answer;\n"
	"77 not permitted.",
	OPTIONS};

struct reply { /* of one participant; the lines are ours */
	char *status;
	char **answers;
	size_t count;
};

struct query {
	struct sn_cli cli;
	struct sn_enquiry e;
	struct reply *replies;
	bool json;
	unsigned shown;
};

/* The members of workers[] and of its `workitem`. */
enum { W_ID, W_PID, W_STATE, W_SINCE, W_WORKITEM, W_LINE, WORKER_KEYS };
static const char *const WORKER[] = {"id", "pid", "state", "since", "workitem", "last_line"};
enum { I_NAME, I_WFID, I_EXPID, I_ATTEMPT, I_SINCE, I_CANCELLED, ITEM_KEYS };
static const char *const ITEM[] = {"name", "wfid", "expid", "attempt", "since", "cancelled"};
enum { A_NAME, A_ANSWER, A_ERROR, A_ABSENT, ANSWER_KEYS };
static const char *const ANSWER[] = {"name", "answer", "error", "absent"};

static void keep_line(void *arg, struct sn_control *c, const char *type, struct sn_span line)
{
	struct query *q = arg;
	struct reply *rep = &q->replies[sn_enquiry_named(&q->e, c->participant) - q->e.asked];

	if (strcmp(type, "status") == 0 && rep->status == NULL) {
		rep->status = sn_strndup(line.data, line.len);
	} else if (strcmp(type, "answer") == 0 && rep->count < LINES_MAX) {
		rep->answers = sn_realloc(rep->answers, (rep->count + 1) * sizeof *rep->answers);
		rep->answers[rep->count++] = sn_strndup(line.data, line.len);
	}
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

static struct sn_span member(struct sn_span object, const char *key)
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

static void print_status(const struct reply *rep, struct sn_span name)
{
	struct sn_span v[ANSWER_KEYS] = {0};
	size_t i = 0;

	for (; i < rep->count; i++) {
		members(whole(rep->answers[i]), ANSWER, v, ANSWER_KEYS);
		if (v[A_NAME].data != NULL && v[A_NAME].len == name.len &&
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
static void print_worker(struct query *q, const struct sn_asked *a, const struct reply *rep,
			 const struct sn_span *w)
{
	struct sn_span v[ITEM_KEYS];

	members(w[W_WORKITEM], ITEM, v, ITEM_KEYS);
	printf("%s ", a->name);
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
	q->shown++;
}

static void print_idle(const struct sn_span *w)
{
	sn_control_print("  worker ", w[W_ID]);
	sn_control_print(", pid ", w[W_PID]);
	sn_control_print(": ", w[W_STATE]);
	print_since(w[W_SINCE]);
	putchar('\n');
}

static void print_workers(struct query *q, const struct sn_asked *a, const struct reply *rep, bool idle)
{
	struct sn_span workers = member(whole(rep->status), "workers"), one = {0}, v[WORKER_KEYS];

	while (sn_json_next(workers, &one)) {
		members(one, WORKER, v, WORKER_KEYS);
		if (v[W_WORKITEM].data != NULL && v[W_WORKITEM].data[0] == '{' && !idle)
			print_worker(q, a, rep, v);
		else if ((v[W_WORKITEM].data == NULL || v[W_WORKITEM].data[0] != '{') && idle)
			print_idle(v);
	}
}

/* Does a worker run it? Then its block was printed. */
static bool is_run(const struct reply *rep, const char *name)
{
	struct sn_span workers = member(whole(rep->status), "workers"), one = {0};
	char text[SN_NAME_SIZE + 1];

	while (sn_json_next(workers, &one)) {
		(void)sn_json_text(member(member(one, "workitem"), "name"), text, sizeof text);
		if (strcmp(text, name) == 0)
			return true;
	}
	return false;
}

static const char *where(const struct sn_item *it, bool running)
{
	switch (it->state) {
	case SN_ITEM_NEW:
		return running ? "waits in the spool" : "waits in the spool; the participant does not run";
	case SN_ITEM_CUR:
		return running ? "claimed: runs next, or ends just now"
			       : "was being worked on; the participant does not run";
	case SN_ITEM_RESULT:
		return "is finished, its reply is on the way out";
	case SN_ITEM_HELD:
		return "is held (skynet spool release)";
	default:
		return "is in the ledger, unfinished";
	}
}

static void print_items(struct query *q)
{
	for (size_t i = 0; i < q->e.items.count; i++) {
		const struct sn_item *it = &q->e.items.list[i];
		const struct sn_asked *a = sn_enquiry_named(&q->e, it->shelf->participant);
		char age[16];

		if (it->state >= SN_ITEM_FAILED || is_run(&q->replies[a - q->e.asked], it->name))
			continue;
		sn_cli_age(sn_name_time_us(it->name), age);
		printf("%s %s\n  %s; came %s ago\n", it->shelf->participant, it->name, where(it, a->running),
		       age);
		q->shown++;
	}
}

/* The line above the workers of a participant that was asked for by its name. */
static void print_participant(const struct sn_asked *a, const struct reply *rep)
{
	static const char *const KEYS[] = {"state", "pid", "since", "waiting"};
	struct sn_span v[4];

	members(whole(rep->status), KEYS, v, 4);
	printf("%s: ", a->name);
	sn_control_print("", v[0]);
	print_since(v[2]);
	sn_control_print(", pid ", v[1]);
	sn_control_print("; ", member(v[3], "new"));
	sn_control_print(" waiting, ", member(v[3], "ahead"));
	puts(" claimed ahead");
}

static void print_json_participant(const struct query *q, size_t i, bool first)
{
	const struct sn_asked *a = &q->e.asked[i];
	const struct reply *rep = &q->replies[i];
	const char *comma = "";

	sn_command_json_row(first, a->name);
	fputs(",\"status\":", stdout);
	sn_control_print_json(rep->status == NULL ? whole("null") : whole(rep->status));
	fputs(",\"answers\":[", stdout);
	for (size_t n = 0; n < rep->count; n++) {
		fputs(n > 0 ? "," : "", stdout);
		sn_control_print_json(whole(rep->answers[n]));
	}
	fputs("],\"open\":[", stdout);
	for (size_t n = 0; n < q->e.items.count; n++) {
		const struct sn_item *it = &q->e.items.list[n];

		if (it->state >= SN_ITEM_FAILED || strcmp(it->shelf->participant, a->name) != 0)
			continue;
		printf("%s{\"name\":\"%s\",\"state\":\"%s\"}", comma, it->name,
		       sn_item_state_name(it->state));
		comma = ",";
	}
	printf("],\"code\":%d", a->failed);
	sn_command_json_member("error", a->failed != 0 ? a->why : NULL);
	putchar('}');
}

/* A participant is of interest if it was named, or knows what is asked for. */
static void print_all(struct query *q)
{
	bool first = true;

	if (q->json)
		putchar('[');
	for (size_t i = 0; i < q->e.count; i++) {
		const struct sn_asked *a = &q->e.asked[i];
		const struct reply *rep = &q->replies[i];

		if (q->e.key != NULL && !a->matched && sn_enquiry_open_items(&q->e, a->name) == 0)
			continue;
		if (q->json) {
			print_json_participant(q, i, first);
			first = false;
			continue;
		}
		if (q->e.key == NULL && rep->status != NULL) {
			print_participant(a, rep);
			print_workers(q, a, rep, true);
		}
		print_workers(q, a, rep, false);
	}
	if (q->json)
		puts("]");
	else
		print_items(q);
	if (!q->json && q->e.key != NULL && q->shown == 0) /* its spool is closed to us */
		puts("it waits in the spool");
}

/* Those who should have answered, and did not. */
static int complain(struct query *q)
{
	int code = 0;

	for (size_t i = 0; i < q->e.count; i++) {
		const struct sn_asked *a = &q->e.asked[i];

		if (a->failed == 0 || (q->e.key != NULL && sn_enquiry_open_items(&q->e, a->name) == 0))
			continue;
		sn_cli_failed(&q->cli, a->failed, "%s: %s", a->name, a->why);
		code = q->e.key == NULL ? a->failed : code;
	}
	return code;
}

static int run(struct query *q, const char *text, int64_t timeout_ns)
{
	SN_AUTOFREE char *wait = sn_asprintf("wait=%lld", (long long)(timeout_ns / 1000000));
	const bool named = sn_enquiry_is_name(&q->cli, text);
	size_t matched = 0;

	sn_enquiry_init(&q->e, &q->cli, named ? NULL : text, named ? text : NULL);
	q->replies = sn_calloc(q->e.count + 1, sizeof *q->replies);
	sn_enquiry_ask(&q->e, "status", wait,
		       sn_clock_mono_ns() + timeout_ns + SN_CONTROL_ALIVE_MS * 1000000LL, keep_line, q);
	for (size_t i = 0; i < q->e.count; i++)
		matched += q->e.asked[i].matched;
	if (!named && matched + sn_enquiry_open_items(&q->e, NULL) == 0)
		return sn_enquiry_nothing(&q->e, text, true);
	print_all(q);
	return complain(q);
}

static void release(struct query *q)
{
	for (size_t i = 0; i < q->e.count; i++) {
		for (size_t n = 0; n < q->replies[i].count; n++)
			free(q->replies[i].answers[n]);
		free(q->replies[i].answers);
		free(q->replies[i].status);
	}
	free(q->replies);
	sn_enquiry_release(&q->e);
}

int main(int argc, char **argv)
{
	struct query q = {.cli = {.command = &COMMAND}};
	int64_t timeout_ns = 100000000;
	int opt, code, flushed;

	while ((opt = sn_cli_next(&q.cli, argc, argv)) != -1) {
		q.json = q.json || opt == OPT_JSON;
		if (opt == 't' && (sn_command_duration(optarg, &timeout_ns) < 0 || timeout_ns > 60000000000))
			sn_cli_usage(&q.cli, "--timeout %s: no number of seconds up to 60", optarg);
	}
	if (argc - optind != 1)
		sn_cli_usage(&q.cli, "the NAME of a participant or a WFID is needed");
	sn_cli_home(&q.cli);
	code = run(&q, argv[optind], timeout_ns);
	release(&q);
	sn_home_release(&q.cli.home);
	flushed = sn_command_flush(&COMMAND);
	return code != 0 ? code : flushed;
}
