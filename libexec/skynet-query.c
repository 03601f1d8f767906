/* Asks running participants what they are doing: all of one, or those that hold workitems of a process. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "svc/enquiry.h"
#include "svc/remote.h"
#include "svc/service.h"

enum { OPT_JSON = SN_OPT_FIRST, OPT_REMOTE };
enum { LOCAL_NS = 100000000, REMOTE_NS = 2000000000 }; /* how long to wait for an answer */

static const struct sn_option OPTIONS[] = {
	{OPT_JSON, "json", NULL, "as a JSON array, an object for each participant"},
	{'t', "timeout", "S", "how long handlers may take to answer (default 0.1; 0: do not ask them)"},
	{OPT_REMOTE, "remote", NULL, "ask all hosts, by the broker, for --timeout in all (default 2)"},
	{'p', "participant", "P", "with --remote: only those who have it open for participant P"},
	{0},
};
static const struct sn_command COMMAND = {
	"skynet query",
	"[--json] [--timeout S] NAME|WFID|WORKITEM\n"
	"       skynet query --remote [--json] [--timeout S] [--participant P] WFID",
	"Asks running participants what they are doing. Of participant NAME all workers are shown; of the\n"
	"process WFID, or of one WORKITEM, whatever is done to it on this host. What exo knows is there at once\n"
	"and always: since when, which attempt, the last line of its log; below it what the handler's own\n"
	"status() says, or why it says nothing.\n\n"
	"With --remote every host that has a workitem of WFID open for a second or longer is asked over the\n"
	"broker; the credentials for that are root's and skynet's.\n\n"
	"Exit code: 0; 3 NAME does not run; 4 no such participant, or not open here; 69 no broker; 75 it\n"
	"does not answer; 77 not permitted.",
	OPTIONS};

struct query {
	struct sn_cli cli;
	struct sn_enquiry e;
	struct sn_reply *replies;
	bool json;
	unsigned shown;
};

static void keep_line(void *arg, struct sn_control *c, const char *type, struct sn_span line)
{
	struct query *q = arg;

	sn_reply_keep(&q->replies[sn_enquiry_named(&q->e, c->participant) - q->e.asked], type, line);
}

static struct sn_span whole(const char *line)
{
	return (struct sn_span){.data = line, .len = strlen(line)};
}

static const char *where(const struct sn_item *it, bool running)
{
	switch (it->state) {
	case SN_ITEM_CUR:
		return running ? "in hand: runs next, or ends just now"
			       : "is being worked on, but the participant does not run";
	case SN_ITEM_RESULT:
		return "is finished, its reply is on the way out";
	case SN_ITEM_HELD:
		return "is held (skynet spool release)";
	default:
		break;
	}
	if (running)
		return "waits in the spool";
	return it->attempt > 0 ? "was being worked on; the participant does not run"
			       : "waits in the spool; the participant does not run";
}

static void print_items(struct query *q)
{
	for (size_t i = 0; i < q->e.items.count; i++) {
		const struct sn_item *it = &q->e.items.list[i];
		const struct sn_asked *a = sn_enquiry_named(&q->e, it->shelf->participant);
		char age[16];

		if (it->state >= SN_ITEM_FAILED || sn_reply_runs(&q->replies[a - q->e.asked], it->name))
			continue;
		sn_cli_age(sn_name_time_us(it->name), age);
		printf("%s %s\n  %s; came %s ago\n", it->shelf->participant, it->name, where(it, a->running),
		       age);
		q->shown++;
	}
}

static void print_json_participant(const struct query *q, size_t i, bool first)
{
	const struct sn_asked *a = &q->e.asked[i];
	const struct sn_reply *rep = &q->replies[i];
	const char *comma = "";

	sn_command_json_row(first, a->name);
	fputs(",\"status\":", stdout);
	sn_control_print_json(whole(rep->status == NULL ? "null" : rep->status));
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
		const struct sn_reply *rep = &q->replies[i];

		if (q->e.key != NULL && !a->matched && sn_enquiry_open_items(&q->e, a->name) == 0)
			continue;
		if (q->json) {
			print_json_participant(q, i, first);
			first = false;
			continue;
		}
		if (q->e.key == NULL && rep->status != NULL) {
			sn_reply_head(rep, a->name);
			(void)sn_reply_workers(rep, a->name, true);
		}
		q->shown += sn_reply_workers(rep, a->name, false);
	}
	if (q->json)
		puts("]");
	else
		print_items(q);
	for (size_t i = 0; !q->json && q->e.key != NULL && q->shown == 0 && i < q->e.count; i++) {
		if (q->e.asked[i].matched) /* its spool is closed to us */
			printf("%s: it waits in the spool\n", q->e.asked[i].name);
	}
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

/* Workitems that the bridge over there knows of and no worker runs. */
static void print_remote_items(struct query *q, const struct sn_reply *rep, const struct sn_remote_part *part)
{
	static const char *const KEYS[] = {"name", "state", "since"};
	struct sn_span one = {0}, v[3];
	char name[SN_NAME_SIZE + 1];

	while (sn_json_next(part->workitems, &one)) {
		if (sn_json_object(one.data, one.len, KEYS, v, 3) < 0)
			continue;
		(void)sn_json_text(v[0], name, sizeof name);
		if (sn_reply_runs(rep, name))
			continue;
		printf("%s", part->name);
		sn_control_print(" ", v[0]);
		sn_control_print("\n  ", v[1]);
		sn_control_print(" since ", v[2]);
		putchar('\n');
		q->shown++;
	}
}

static void print_part(void *arg, const struct sn_remote_part *part)
{
	struct query *q = arg;
	struct sn_reply rep = {0};
	struct sn_span one = {0};
	char type[32];

	while (sn_json_next(part->lines, &one)) {
		(void)sn_json_text(sn_reply_member(one, "type"), type, sizeof type);
		sn_reply_keep(&rep, type, one);
	}
	q->shown += sn_reply_workers(&rep, part->name, false);
	print_remote_items(q, &rep, part);
	if (part->error.data != NULL) {
		printf("%s", part->name);
		sn_control_print(": ", part->error);
		putchar('\n');
	}
	sn_reply_release(&rep);
}

static void print_remote(void *arg, struct sn_span answer)
{
	struct query *q = arg;

	if (!q->json) {
		sn_remote_each(answer, print_part, q);
		return;
	}
	fputs(q->shown++ == 0 ? "[" : ",\n ", stdout);
	sn_control_print_json(answer);
}

static int run_remote(struct query *q, const struct sn_remote_ask *ask)
{
	int code = sn_remote_ask(&q->cli, ask, print_remote, q);

	if (q->json)
		puts(q->shown == 0 ? "[]" : "]");
	return code;
}

static void release(struct query *q)
{
	for (size_t i = 0; i < q->e.count; i++)
		sn_reply_release(&q->replies[i]);
	free(q->replies);
	sn_enquiry_release(&q->e);
}

int main(int argc, char **argv)
{
	struct query q = {.cli = {.command = &COMMAND}};
	struct sn_remote_ask ask = {.what = "status"};
	int64_t timeout_ns = -1;
	bool remote = false;
	int opt, code, flushed;

	while ((opt = sn_cli_next(&q.cli, argc, argv)) != -1) {
		q.json = q.json || opt == OPT_JSON;
		remote = remote || opt == OPT_REMOTE;
		if (opt == 'p')
			ask.participant = optarg;
		if (opt == 't' && (sn_command_duration(optarg, &timeout_ns) < 0 || timeout_ns > 60000000000))
			sn_cli_usage(&q.cli, "--timeout %s: no number of seconds up to 60", optarg);
	}
	if (argc - optind != 1)
		sn_cli_usage(&q.cli, "the NAME of a participant or a WFID is needed");
	if (ask.participant != NULL && (!remote || !sn_participant_valid(ask.participant)))
		sn_cli_usage(&q.cli, "--participant P goes with --remote, and P is a name");
	sn_cli_home(&q.cli);
	ask.wfid = argv[optind];
	ask.timeout_ns = timeout_ns < 0 ? REMOTE_NS : timeout_ns;
	code = remote ? run_remote(&q, &ask) : run(&q, argv[optind], timeout_ns < 0 ? LOCAL_NS : timeout_ns);
	release(&q);
	sn_home_release(&q.cli.home);
	flushed = sn_command_flush(&COMMAND);
	return code != 0 ? code : flushed;
}
