/* Tells those who work on a workitem, or on all of a process, that it is not wanted any more, and shows what comes of it. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "svc/enquiry.h"
#include "svc/remote.h"

enum { OPT_JSON = SN_OPT_FIRST, OPT_KILL, OPT_REMOTE, OPT_WAIT, WAIT_S = 5, KILL_S = 10, REMOTE_MAX_S = 10 };

static const struct sn_option OPTIONS[] = {
	{'w', "wait", "S",
	 "how long to wait for the end (default 5, with --kill 5 more than that; 0: do not)"},
	{OPT_KILL, "kill", "[=S]",
	 "kill the worker's processes if it has not ended after S seconds (default 10)"},
	{OPT_REMOTE, "remote", NULL, "all hosts, by the broker; they wait for 10 s at most (default 1)"},
	{OPT_JSON, "json", NULL, "one JSON object a line, as docs/CONTROL.md has them"},
	{0},
};
static const struct sn_command COMMAND = {
	"skynet cancel",
	"[--wait S] [--kill[=S]] [--json] WFID|WORKITEM [NAME]\n"
	"       skynet cancel --remote [--wait S] [--kill[=S]] [--json] WFID [NAME]",
	"Tells participants that workitems are not wanted any more. Those of the process WFID, or one, at\n"
	"participant NAME (default: at all of this host): what waits is withdrawn; of what runs, the handler's\n"
	"cancel() is called. Each event is a line:\n\n"
	"  withdrawn     it was waiting and will not run\n"
	"  requested     its worker has been told\n"
	"  acknowledged  the handler's cancel() returned\n"
	"  unsupported   the handler cannot be told; it works on\n"
	"  failed        its cancel() raised an exception; it works on\n"
	"  finished      the work ended\n"
	"  killed        it did not end in time\n\n"
	"The end of the wait, or Ctrl-C, takes the request back by no means. The engine gets an answer: what\n"
	"the handler left, or an error reply.\n\n"
	"With --remote every host that has a workitem of WFID open for a second or longer is told, over the\n"
	"broker; the credentials for that are root's and skynet's.\n\n"
	"Exit code: 0 all of it ended; 3 its participant does not run; 4 nothing such is open; 69 no broker; 75\n"
	"it was told and still runs; 77 not permitted.",
	OPTIONS};

struct cancel {
	struct sn_cli cli;
	struct sn_enquiry e;
	bool json;
	int code;    /* of other hosts: the worst so far */
	int running; /* workitems whose worker has been told, and that have not ended */
};

/* What an event does to that number. */
static int change(struct sn_span line)
{
	struct sn_span event = sn_reply_member(line, "event");

	return sn_json_is(event, "\"requested\"") ? 1 : sn_json_is(event, "\"finished\"") ? -1 : 0;
}

static void print_event_json(const struct sn_control *c, struct sn_span line)
{
	const char *brace = memchr(line.data, '{', line.len);
	size_t skipped = brace == NULL ? 0 : (size_t)(brace + 1 - line.data);

	printf("{\"participant\":\"%s\",", c->participant); /* a valid name needs no escapes */
	sn_control_print_json((struct sn_span){.data = line.data + skipped, .len = line.len - skipped});
	putchar('\n');
}

static void show(void *arg, struct sn_control *c, const char *type, struct sn_span line)
{
	struct cancel *k = arg;

	if (strcmp(type, "cancel") != 0)
		return;
	k->running += change(line);
	if (k->json)
		print_event_json(c, line);
	else
		sn_reply_event(c->participant, line);
	if (fflush(stdout) != 0)
		exit(SN_EXIT_FAILED); /* nobody reads on; what is requested is requested */
}

/* What the spool has and no exo looks after. */
static void advise(struct cancel *k, const struct sn_item *it)
{
	const char *name = it->shelf->participant;

	switch (it->state) {
	case SN_ITEM_HELD:
		sn_cli_failed(&k->cli, SN_EXIT_NOT_RUNNING,
			      "%s %s: is held: it does not run before skynet spool release", name, it->name);
		break;
	case SN_ITEM_NEW:
		sn_cli_failed(
			&k->cli, SN_EXIT_NOT_RUNNING,
			"%s %s: waits, and %s does not run: skynet spool hold %s %s keeps it from being worked on",
			name, it->name, name, name, it->name);
		break;
	default:
		sn_cli_failed(&k->cli, SN_EXIT_NOT_RUNNING,
			      "%s %s: %s does not run: cancel it when it is up (skynet start %s)", name,
			      it->name, name, name);
	}
}

/* It did not answer to the end, but it has the request, or will read it when it goes on. */
static bool has_heard(const struct sn_asked *a)
{
	return a->control.sent > 0 &&
	       (a->control.end == SN_CONTROL_SILENT || a->control.end == SN_CONTROL_CUT);
}

/* Worse codes win: what could not be asked, what runs on, what nobody runs. */
static int judge(struct cancel *k, const char *text)
{
	size_t matched = 0, loose = 0;
	int code = 0;

	for (size_t i = 0; i < k->e.count; i++)
		matched += k->e.asked[i].matched;
	for (size_t i = 0; i < k->e.items.count; i++) {
		const struct sn_item *it = &k->e.items.list[i];
		struct sn_asked *a = sn_enquiry_named(&k->e, it->shelf->participant);

		if (it->state < SN_ITEM_FAILED &&
		    (a->failed == SN_EXIT_NOT_RUNNING || it->state == SN_ITEM_HELD)) {
			advise(k, it);
			loose++;
		}
	}
	if (loose > 0)
		code = SN_EXIT_NOT_RUNNING;
	for (size_t i = 0; i < k->e.count; i++) {
		const struct sn_asked *a = &k->e.asked[i];
		bool runs;

		if (a->failed == 0 || a->failed == SN_EXIT_NOT_RUNNING ||
		    (!a->matched && sn_enquiry_open_items(&k->e, a->name) == 0))
			continue;
		runs = a->matched && a->why[0] == '\0';
		sn_cli_failed(&k->cli, a->failed, "%s: %s%s", a->name, runs ? "still running" : a->why,
			      runs || has_heard(a) ? "; the request stands" : "");
		code = a->failed;
	}
	if (code == 0 && k->running > 0) { /* nobody waited: exo calls that an end */
		code = SN_EXIT_TRY_AGAIN;
		sn_cli_failed(&k->cli, code, "still running; the request stands");
	}
	return matched + loose == 0 && code == 0 ? sn_enquiry_nothing(&k->e, text, false) : code;
}

static int run(struct cancel *k, char *const *args, int64_t wait_ns, int64_t kill_ns)
{
	SN_AUTOFREE char *wait = sn_asprintf("wait=%lld", (long long)(wait_ns / 1000000));
	SN_AUTOFREE char *options =
		kill_ns < 0
			? sn_strdup(wait)
			: sn_asprintf("%s kill=%lld", wait, (long long)((kill_ns + 999999999) / 1000000000));
	int code;

	sn_enquiry_init(&k->e, &k->cli, args[0], args[1]);
	sn_enquiry_ask(&k->e, "cancel", options,
		       sn_clock_mono_ns() + wait_ns + SN_CONTROL_ALIVE_MS * 1000000LL, show, k);
	code = judge(k, args[0]);
	sn_enquiry_release(&k->e);
	return code;
}

static void show_part(void *arg, const struct sn_remote_part *part)
{
	struct cancel *k = arg;
	struct sn_span one = {0};

	while (sn_json_next(part->lines, &one)) {
		if (!sn_json_is(sn_reply_member(one, "type"), "\"cancel\""))
			continue;
		k->running += change(one);
		if (!k->json)
			sn_reply_event(part->name, one);
	}
	if (part->error.data != NULL && !k->json) {
		printf("%s", part->name);
		sn_control_print(": ", part->error);
		putchar('\n');
	}
	if (part->code == SN_EXIT_TRY_AGAIN && !k->json)
		printf("%s: still running; the request stands\n", part->name);
	/* Nothing matched: it ended in between. */
	if (part->code != 0 && part->code != SN_EXIT_UNKNOWN)
		k->code = part->code > 0			       ? part->code
			  : sn_json_is(part->error, "\"no exo runs\"") ? SN_EXIT_NOT_RUNNING
								       : SN_EXIT_FAILED;
}

static void show_remote(void *arg, struct sn_span answer)
{
	struct cancel *k = arg;

	sn_remote_each(answer, show_part, k);
	if (!k->json)
		return;
	sn_control_print_json(answer);
	putchar('\n');
}

static int run_remote(struct cancel *k, char *const *args, int64_t wait_ns, int64_t kill_ns)
{
	const struct sn_remote_ask ask = {.what = "cancel",
					  .wfid = args[0],
					  .participant = args[1],
					  .timeout_ns = wait_ns + 1000000000,
					  .kill_s = kill_ns < 0 ? 0
								: (long)((kill_ns + 999999999) / 1000000000)};
	int code;

	if (args[1] != NULL && !sn_participant_valid(args[1]))
		sn_cli_usage(&k->cli, "'%s' is no name of a participant", args[1]);
	code = sn_remote_ask(&k->cli, &ask, show_remote, k);
	if (code == 0 && k->code == 0 && k->running > 0)
		return SN_EXIT_TRY_AGAIN;
	return code != 0 ? code : k->code;
}

static int64_t seconds(const struct sn_cli *cli, const char *option, const char *text)
{
	int64_t ns;

	if (sn_command_duration(text, &ns) < 0 || ns > 3600 * 1000000000LL)
		sn_cli_usage(cli, "--%s %s: no time up to an hour", option, text);
	return ns;
}

/* "--kill 3 WFID", as other options are written: the 3 would be taken for a WFID, and the WFID for a participant. */
static void look_for_seconds(const struct sn_cli *cli, char *const *args)
{
	int64_t ns;

	for (; *args != NULL; args++) {
		if (sn_command_duration(*args, &ns) == 0)
			sn_cli_usage(cli, "--kill %s: its seconds go behind a '=' (--kill=%s)", *args, *args);
	}
}

int main(int argc, char **argv)
{
	struct cancel k = {.cli = {.command = &COMMAND}};
	int64_t wait_ns = -1, kill_ns = -1;
	bool remote = false, bare_kill = false;
	int opt, code, flushed;

	while ((opt = sn_cli_next(&k.cli, argc, argv)) != -1) {
		if (opt == 'w')
			wait_ns = seconds(&k.cli, "wait", optarg);
		if (opt == OPT_KILL) {
			bare_kill = optarg == NULL;
			kill_ns = optarg == NULL ? KILL_S * 1000000000LL : seconds(&k.cli, "kill", optarg);
		}
		remote = remote || opt == OPT_REMOTE;
		k.json = k.json || opt == OPT_JSON;
	}
	if (bare_kill)
		look_for_seconds(&k.cli, argv + optind);
	if (argc - optind < 1 || argc - optind > 2)
		sn_cli_usage(&k.cli, "a WFID or a WORKITEM is needed, and at most the NAME of a participant");
	if (kill_ns == 0)
		sn_cli_usage(&k.cli, "--kill=0: it must have a second at least");
	if (wait_ns < 0)
		wait_ns = (remote ? 1 : WAIT_S) * 1000000000LL + (kill_ns > 0 ? kill_ns : 0);
	if (remote && wait_ns > REMOTE_MAX_S * 1000000000LL)
		wait_ns = REMOTE_MAX_S * 1000000000LL; /* a bridge waits no longer */
	sn_cli_home(&k.cli);
	code = (remote ? run_remote : run)(&k, argv + optind, wait_ns, kill_ns);
	sn_home_release(&k.cli.home);
	flushed = sn_command_flush(&COMMAND);
	return code != 0 ? code : flushed;
}
