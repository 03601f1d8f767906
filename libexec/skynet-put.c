/* Hands in one workitem and, if wished, waits for its reply: what the engine would do. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "data/jsonw.h"
#include "spool/cancel.h"
#include "spool/retire.h"
#include "svc/cli.h"
#include "svc/control.h"
#include "svc/service.h"

enum { OPT_WAIT = SN_OPT_FIRST, OPT_JSON, POLL_US = 5000 };
static const int64_t TELL_AFTER_NS = 3000000000;

static const struct sn_option OPTIONS[] = {
	{OPT_WAIT, "wait", "[=SECONDS]",
	 "wait until it is finished and print the reply; exit 124 after SECONDS"},
	{OPT_JSON, "json", NULL, "as a JSON object: name, participant; with --wait outcome, reply"},
	{0}};
static const struct sn_command COMMAND = {
	"skynet put", "[OPTIONS] NAME [FILE|-]",
	"Hands in a workitem, as the engine would. It comes from FILE (default: standard input) and goes to\n"
	"participant NAME; its name in the spool is printed. With --wait prints the reply; exit 0 if its\n"
	"outcome is ok, else 1. A cancel item (\"cancel\": true) is carried out by the bridge, and nothing\n"
	"answers it.",
	OPTIONS};

static void warn_if_down(const struct sn_cli *cli, const char *name)
{
	if (!sn_cli_runs(cli, name))
		fprintf(stderr, "skynet put: %s is not running: the workitem waits in the spool\n",
			strcmp(name, SN_BRIDGE_NAME) == 0 ? "the bridge" : name);
}

/* Is it in done/ or failed/? Its result is there before it is (retire.1, retire.2). */
static bool finished(struct sn_item *item)
{
	struct sn_spool s = item->shelf->s; /* to read from: nothing in it changes */

	if (sn_retired(&s, item->name) != 1)
		return false;
	item->state = SN_ITEM_DONE;
	if (sn_item_read(item, "", &(struct sn_buf){.max_bytes = 0}) == -ENOENT)
		item->state = SN_ITEM_FAILED;
	return true;
}

/* res: NULL where nothing was waited for. */
static void print_object(const struct sn_cli *cli, const struct sn_item *item,
			 const struct sn_result_file *res)
{
	struct sn_buf out = SN_BUF((size_t)SN_CLI_BODY_MAX * 2);
	struct sn_jsonw w = {.buf = &out};
	const char *body;
	int r;

	sn_jsonw_open(&w, NULL, '{');
	sn_jsonw_string(&w, "name", item->name);
	sn_jsonw_string(&w, "participant", item->shelf->participant);
	if (res != NULL) {
		sn_jsonw_string(&w, "outcome", res->text.len > 0 ? sn_outcome_name(res->head.outcome) : NULL);
		body = res->text.len > 0 ? res->text.data + res->body_at : "";
		r = sn_json_object(body, res->head.length, NULL, NULL, 0);
		if (r == 0 || r == -ENOTSUP)
			sn_jsonw_raw(&w, "reply", body, res->head.length);
		else
			sn_jsonw_string(&w, "reply", NULL);
	}
	sn_jsonw_close(&w, '}');
	if (w.error < 0)
		sn_cli_die(cli, SN_EXIT_FAILED, "%s: its reply is too large for --json", item->name);
	sn_control_print_json((struct sn_span){.data = out.data, .len = out.len});
	putchar('\n');
	sn_buf_release(&out);
}

/* Exit code. */
static int print_reply(const struct sn_cli *cli, const struct sn_item *item, bool json)
{
	struct sn_result_file res = {.text = SN_BUF(SN_CLI_RESULT_MAX)};
	struct sn_buf log = SN_BUF(1 << 16);
	int r = sn_item_result(item, &res), code = SN_EXIT_FAILED;

	if (r < 0) /* a damaged one is none */
		res.text.len = res.head.length = 0;
	if (json) {
		print_object(cli, item, &res);
	} else if (r == 0) {
		sn_cli_write(cli, res.text.data + res.body_at, res.head.length);
		if (res.head.length > 0 && res.text.data[res.text.len - 1] != '\n')
			sn_cli_write(cli, "\n", 1);
	}
	if (r == 0) {
		(void)fflush(stdout); /* an error shows at the end */
		fprintf(stderr, "outcome: %s\n", sn_outcome_name(res.head.outcome));
		code = res.head.outcome == SN_OK ? 0 : SN_EXIT_FAILED;
	} else {
		fprintf(stderr, "outcome: none (%s)\n", r == -ENOENT ? "no reply" : strerror(-r));
	}
	if (sn_item_read(item, ".log", &log) == 0 && log.len > 0)
		fprintf(stderr, "%s\n", log.data);
	sn_buf_release(&log);
	sn_result_release(&res);
	return code;
}

/* A cancel item: has the bridge decided, and told whom it concerns? */
static bool carried_out(const struct sn_item *item)
{
	char leaf[SN_CANCEL_LEAF_SIZE];

	for (int kind = SN_CANCEL_ITEM; kind <= SN_CANCEL_TELL; kind++) {
		sn_cancel_format(item->name, (enum sn_cancel_leaf)kind, leaf);
		if (faccessat(item->shelf->s.open, leaf, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return false;
	}
	return true;
}

/* Whoever waits long wants to know what for: a reply that cannot go out, say, for want of the engine's queue. */
static void tell_reason(const struct sn_cli *cli, const char *name)
{
	struct sn_service s;

	if (sn_service_look(&cli->home, name, &s) == 0 && s.running && s.status.reason != NULL)
		fprintf(stderr, "skynet put: still waiting; %s: %s\n", name, s.status.reason);
	sn_service_release(&s);
}

/* timeout_ns: -1 for ever. */
static void wait_for(const struct sn_cli *cli, struct sn_item *item, int64_t timeout_ns, bool cancel)
{
	const int64_t begin = sn_clock_mono_ns(), end = begin + timeout_ns;
	bool told = false;

	while (!(cancel ? carried_out(item) : finished(item))) {
		if (timeout_ns >= 0 && sn_clock_mono_ns() >= end)
			sn_cli_die(cli, SN_EXIT_TIMEOUT, "%s: not finished yet", item->name);
		if (!told && sn_clock_mono_ns() - begin > TELL_AFTER_NS) {
			tell_reason(cli, SN_BRIDGE_NAME);
			tell_reason(cli, item->shelf->participant);
			told = true;
		}
		(void)usleep(POLL_US); /* cut short: looks earlier */
	}
}

int main(int argc, char **argv)
{
	struct sn_cli cli = {.command = &COMMAND};
	int64_t timeout_ns = -1;
	struct sn_item item;
	struct sn_put p;
	bool wait = false, json = false;
	int opt, kind, r = 0;

	while ((opt = sn_cli_next(&cli, argc, argv)) != -1) {
		json = json || opt == OPT_JSON;
		wait = wait || opt == OPT_WAIT;
		if (opt == OPT_WAIT && optarg != NULL && sn_command_duration(optarg, &timeout_ns) < 0)
			sn_cli_usage(&cli, "--wait=%s: not a duration", optarg);
	}
	if (argc - optind < 1 || argc - optind > 2)
		sn_cli_usage(&cli, "the NAME of a participant is needed, and one FILE at most");
	sn_cli_home(&cli);
	sn_cli_put_open(&cli, argv[optind], &p);
	item = (struct sn_item){.shelf = &p.shelf};
	kind = sn_cli_put_file(&cli, &p, argc - optind == 2 ? argv[optind + 1] : "-", item.name);
	if (kind < 0)
		return sn_cli_end(&cli);
	warn_if_down(&cli, SN_BRIDGE_NAME);
	if (kind == 0)
		warn_if_down(&cli, argv[optind]);
	if (json && (!wait || kind == 1))
		print_object(&cli, &item, NULL);
	else if (!wait || kind == 1)
		printf("%s\n", item.name);
	if (wait)
		wait_for(&cli, &item, timeout_ns, kind == 1);
	if (wait && kind == 0)
		r = print_reply(&cli, &item, json);
	sn_put_close(&p);
	sn_home_release(&cli.home);
	return r != 0 ? r : sn_cli_end(&cli);
}
