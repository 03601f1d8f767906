/* Lists workitems. What is unfinished by default; done and failed on request. */
#include <stdlib.h>

#include "base/clock.h"
#include "svc/cli.h"
#include "svc/pretty.h"

enum { OPT_STATE = 's', OPT_LINES = 'n', OPT_JSON = SN_OPT_FIRST };

static const struct sn_option OPTIONS[] = {
	{OPT_STATE, "state", "STATE",
	 "only these: new, cur, result, held, failed, done, all (several: with commas)"},
	{OPT_LINES, "lines", "N", "only the newest N"},
	{OPT_JSON, "json", NULL, "one JSON object per line"},
	{0}};
static const struct sn_command COMMAND = {
	"spool-ls", "[OPTIONS] [NAME]",
	"Lists the workitems of participant NAME, or of all, newest last:\n"
	"[PARTICIPANT] STATE NAME AGE ATTEMPT WFID EXPID SIZE. Without --state what is not finished.",
	OPTIONS};

struct row { /* what the files say */
	char wfid[SN_FEI_MAX + 1], expid[SN_FEI_MAX + 1];
	size_t size;
	unsigned attempt;
	const char *outcome; /* NULL: no result */
	bool cancelled;
};

static unsigned parse_states(const struct sn_cli *cli, const char *text)
{
	unsigned states = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, ",");
		char word[16] = "";
		enum sn_item_state state;

		if (len < sizeof word)
			memcpy(word, text, len);
		if (strcmp(word, "all") == 0)
			states |= SN_ITEMS_ALL;
		else if (sn_item_state_parse(word, &state) == 0)
			states |= 1u << state;
		else
			sn_cli_usage(cli, "--state %s: no such state", text);
		text += len + (text[len] == ',');
	}
	if (states == 0)
		sn_cli_usage(cli, "--state: which?");
	return states;
}

static size_t parse_lines(const struct sn_cli *cli, const char *text)
{
	size_t len = strlen(text);

	if (len < 1 || len > 9 || strspn(text, "0123456789") != len)
		sn_cli_usage(cli, "--lines %s: not a number", text);
	return (size_t)strtoul(text, NULL, 10);
}

/* 0, or -ENOENT: it is gone meanwhile. */
static int look(const struct sn_item *item, struct row *row)
{
	struct sn_buf b = SN_BUF(SN_CLI_BODY_MAX);
	struct sn_result_file res = {.text = SN_BUF(SN_CLI_RESULT_MAX)};
	struct sn_workitem w = {0};
	char *cancelled;
	int r = sn_item_read(item, "", &b);

	*row = (struct row){.size = b.len, .attempt = item->attempt};
	if (r == 0) {
		sn_workitem_read(b.data, b.len, &w);
		memcpy(row->wfid, w.fei.wfid, sizeof row->wfid);
		memcpy(row->expid, w.fei.expid, sizeof row->expid);
	}
	cancelled = sn_item_cancelled_by(item);
	row->cancelled = cancelled != NULL;
	free(cancelled);
	if (item->answered) {
		row->outcome = sn_outcome_name(item->outcome);
	} else if (item->state == SN_ITEM_FAILED && sn_item_result(item, &res) == 0) {
		row->attempt = res.head.attempt;
		row->outcome = sn_outcome_name(res.head.outcome);
	}
	sn_buf_release(&b);
	sn_result_release(&res);
	return r == -ENOENT ? r : 0;
}

/* A word of a line: blanks and control characters would look like something else. */
static void print_word(const char *text)
{
	struct sn_buf b = SN_BUF(8 * SN_FEI_MAX);

	if (text[0] == '\0' || sn_pretty_line(text, strlen(text), &b) < 0)
		(void)!sn_buf_adds(&b, "-"); /* fits */
	for (char *p = b.data; *p != '\0'; p++)
		(void)putchar(*p == ' ' ? '_' : *p);
	(void)putchar(' ');
	sn_buf_release(&b);
}

static void print_row(const struct sn_item *item, const struct row *row, int width)
{
	char age[16], attempt[16] = "-";

	sn_cli_age(sn_name_time_us(item->name), age);
	if (row->attempt > 0)
		(void)snprintf(attempt, sizeof attempt, "%u", row->attempt);
	if (width > 0)
		printf("%-*s ", width, item->shelf->participant);
	printf("%-6s %s %4s %2s ", sn_item_state_name(item->state), item->name, age, attempt);
	print_word(row->wfid);
	print_word(row->expid);
	printf("%zu\n", row->size);
}

static void print_json(const struct sn_item *item, const struct row *row)
{
	char arrived[SN_TIME_TEXT_SIZE];

	sn_time_format(sn_name_time_us(item->name), arrived);
	printf("{\"participant\":\"%s\",\"state\":\"%s\",\"name\":\"%s\",\"arrived\":\"%s\",\"attempt\":%u",
	       item->shelf->participant, sn_item_state_name(item->state), item->name, arrived, row->attempt);
	sn_command_json_member("wfid", row->wfid);
	sn_command_json_member("expid", row->expid);
	printf(",\"size\":%zu", row->size);
	sn_command_json_member("outcome", row->outcome);
	puts(row->cancelled ? ",\"cancelled\":true}" : "}");
}

struct choice {
	unsigned states;
	size_t lines; /* 0: all */
	bool json, none;
};

static void list(const struct sn_cli *cli, const char *participant, const struct choice *choice)
{
	struct sn_items items = {0};
	size_t count, from = 0;
	int width = 0;
	struct sn_shelf *shelves = sn_cli_shelves(cli, participant, &count);

	for (size_t i = 0; i < count; i++) {
		int r = sn_items_list(&shelves[i], choice->states, choice->lines, &items);

		if (r < 0)
			sn_cli_die(cli, sn_cli_code(r), "cannot list the spool of %s: %s",
				   shelves[i].participant, strerror(-r));
		if (participant == NULL && (int)strlen(shelves[i].participant) > width)
			width = (int)strlen(shelves[i].participant);
	}
	sn_items_sort(&items);
	if (choice->lines > 0 && items.count > choice->lines)
		from = items.count - choice->lines;
	for (size_t i = choice->none ? items.count : from; i < items.count; i++) {
		struct row row;

		if (look(&items.list[i], &row) < 0)
			continue;
		if (choice->json)
			print_json(&items.list[i], &row);
		else
			print_row(&items.list[i], &row, width);
	}
	sn_items_release(&items);
	for (size_t i = 0; i < count; i++)
		sn_shelf_release(&shelves[i]);
	free(shelves);
}

int main(int argc, char **argv)
{
	struct sn_cli cli = {.command = &COMMAND};
	struct choice choice = {.states = SN_ITEMS_UNFINISHED};
	int opt;

	while ((opt = sn_cli_next(&cli, argc, argv)) != -1) {
		if (opt == OPT_STATE)
			choice.states = parse_states(&cli, optarg);
		else if (opt == OPT_LINES)
			choice.none = (choice.lines = parse_lines(&cli, optarg)) == 0;
		else if (opt == OPT_JSON)
			choice.json = true;
	}
	if (optind + 1 < argc)
		sn_cli_usage(&cli, "one NAME at most");
	sn_cli_home(&cli);
	list(&cli, argv[optind], &choice);
	sn_home_release(&cli.home);
	return sn_cli_end(&cli);
}
