/* Says where a workitem is and what became of it, or prints one of its files byte for byte. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "svc/cli.h"
#include "svc/pretty.h"

enum { OPT_BODY = SN_OPT_FIRST, OPT_RESULT, OPT_REPLY, OPT_LOG, OPT_JSON };

static const struct sn_option OPTIONS[] = {
	{OPT_BODY, "body", NULL, "print the workitem, byte for byte"},
	{OPT_RESULT, "result", NULL, "print the result, header and reply, byte for byte"},
	{OPT_REPLY, "reply", NULL, "print the reply, byte for byte"},
	{OPT_LOG, "log", NULL, "print why it failed"},
	{OPT_JSON, "json", NULL, "print what is known of it as JSON"},
	{0}};
static const struct sn_command COMMAND = {
	"spool-show", "[OPTIONS] [NAME] ITEM",
	"Shows where workitem ITEM (its name, the beginning of that, or a WFID) of participant NAME\n"
	"(default: any) is, and the header of its result.",
	OPTIONS};

static void print_file(const struct sn_cli *cli, const struct sn_item *item, int what)
{
	const char *suffix = what == OPT_LOG ? ".log" : "";
	struct sn_result_file res = {.text = SN_BUF(SN_CLI_RESULT_MAX)};
	bool result = what == OPT_RESULT || what == OPT_REPLY;
	int r = result ? sn_item_result(item, &res) : sn_item_read(item, suffix, &res.text);

	/* A result that is damaged is shown as it is. */
	if (r == -ENOENT || (r < 0 && (what != OPT_RESULT || res.text.len == 0)))
		sn_cli_die(cli, sn_cli_code(r), "%s: cannot read its %s: %s", item->name,
			   what == OPT_LOG ? "log" : (result ? "result" : "workitem"),
			   r == -ENOENT ? "there is none" : strerror(-r));
	if (what == OPT_REPLY)
		sn_cli_write(cli, res.text.data + res.body_at, res.head.length);
	else
		sn_cli_write(cli, res.text.data, res.text.len);
	sn_result_release(&res);
}

struct fact {
	const char *key;
	char *value; /* owned; NULL: unknown */
};
enum { FACTS_MAX = 20 };

static void add(struct fact *facts, const char *key, char *value)
{
	size_t n = 0;

	while (facts[n].key != NULL)
		n++;
	if (n < FACTS_MAX)
		facts[n] = (struct fact){key, value};
}

static void add_workitem(const struct sn_item *item, struct fact *facts)
{
	struct sn_buf b = SN_BUF(SN_CLI_BODY_MAX);
	struct sn_workitem w;
	int r = sn_item_read(item, "", &b);

	if (r < 0) {
		add(facts, "size", NULL);
	} else {
		sn_workitem_read(b.data, b.len, &w);
		add(facts, "size", sn_asprintf("%zu", b.len));
		add(facts, "wfid", sn_strdup(w.fei.wfid));
		add(facts, "expid", sn_strdup(w.fei.expid));
		if (w.kind == SN_WORKITEM_JUNK)
			add(facts, "no-workitem", sn_strdup(w.reason));
	}
	sn_buf_release(&b);
}

static void add_result(const struct sn_cli *cli, const struct sn_item *item, struct fact *facts)
{
	struct sn_result_file res = {.text = SN_BUF(SN_CLI_RESULT_MAX)};
	char text[SN_TIME_TEXT_SIZE];
	int r = sn_item_result(item, &res);

	if (r == 0) {
		add(facts, "outcome", sn_strdup(sn_outcome_name(res.head.outcome)));
		add(facts, "attempt", sn_asprintf("%u", res.head.attempt));
		sn_time_format(res.head.started_us, text);
		add(facts, "started", sn_strdup(text));
		sn_time_format(res.head.finished_us, text);
		add(facts, "finished", sn_strdup(text));
		add(facts, "send", sn_strdup(sn_send_name(res.head.send)));
		add(facts, "length", sn_asprintf("%zu", res.head.length));
		if (res.head.sha256[0] != '\0')
			add(facts, "sha256", sn_strdup(res.head.sha256));
	}
	if (r == 0 || res.journal[0] != '\0') { /* also of a damaged one */
		add(facts, "answer", sn_item_result_path(&cli->home, item, &res));
		add(facts, "answer-at", sn_asprintf("%jd", (intmax_t)res.at));
	}
	if (r < 0 && r != -ENOENT) {
		add(facts, "result", sn_asprintf("damaged: %s", strerror(-r)));
	}
	sn_result_release(&res);
}

static void print_facts(struct fact *facts, bool json)
{
	for (size_t i = 0; i < FACTS_MAX && facts[i].key != NULL; i++) {
		struct sn_buf line = SN_BUF(1 << 16);
		const char *value = facts[i].value != NULL ? facts[i].value : "";

		if (json) {
			printf("%s\"%s\":", i == 0 ? "{" : ",", facts[i].key);
			sn_command_json(value);
		} else if (sn_pretty_line(value, strlen(value), &line) == 0) {
			printf("%s: %s\n", facts[i].key,
			       line.data != NULL && line.data[0] != '\0' ? line.data : "-");
		}
		sn_buf_release(&line);
		free(facts[i].value);
	}
	if (json)
		printf("}\n");
}

static void print_all(const struct sn_cli *cli, const struct sn_item *item, bool json)
{
	struct fact facts[FACTS_MAX + 1] = {0};
	char arrived[SN_TIME_TEXT_SIZE], *cancelled;

	sn_time_format(sn_name_time_us(item->name), arrived);
	add(facts, "participant", sn_strdup(item->shelf->participant));
	add(facts, "name", sn_strdup(item->name));
	add(facts, "state", sn_strdup(sn_item_state_name(item->state)));
	add(facts, "path", sn_item_path(&cli->home, item));
	add(facts, "arrived", sn_strdup(arrived));
	if (item->attempt > 0)
		add(facts, "working-attempt", sn_asprintf("%u", item->attempt));
	cancelled = sn_item_cancelled_by(item);
	if (cancelled != NULL)
		add(facts, "cancelled-by", cancelled);
	add_workitem(item, facts);
	add_result(cli, item, facts);
	print_facts(facts, json);
}

int main(int argc, char **argv)
{
	struct sn_cli cli = {.command = &COMMAND};
	struct sn_shelf *shelves;
	struct sn_item item;
	int opt, what = 0, code;
	size_t count;

	while ((opt = sn_cli_next(&cli, argc, argv)) != -1) {
		if (what != 0 && what != opt)
			sn_cli_usage(&cli, "only one of --body, --result, --reply, --log, --json");
		what = opt;
	}
	if (argc - optind < 1 || argc - optind > 2)
		sn_cli_usage(&cli, "an ITEM is needed, and at most the NAME of its participant");
	sn_cli_home(&cli);
	shelves = sn_cli_shelves(&cli, argc - optind == 2 ? argv[optind] : NULL, &count);
	code = sn_cli_find(&cli, shelves, count, argv[argc - 1], &item);
	if (code != 0)
		return code;
	if (what == 0 || what == OPT_JSON)
		print_all(&cli, &item, what == OPT_JSON);
	else
		print_file(&cli, &item, what);
	for (size_t i = 0; i < count; i++)
		sn_shelf_release(&shelves[i]);
	free(shelves);
	sn_home_release(&cli.home);
	return sn_cli_end(&cli);
}
