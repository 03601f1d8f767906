/* Shows a workitem, or all of a process, to a person: where it is, what became of it, what is in it. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "data/jsonw.h"
#include "svc/cli.h"
#include "svc/control.h"
#include "svc/pretty.h"

enum { OPT_RAW = SN_OPT_FIRST, OPT_JSON };

static const struct sn_option OPTIONS[] = {
	{OPT_RAW, "raw", NULL, "print the workitem alone, byte for byte"},
	{OPT_JSON, "json", NULL, "as a JSON array, an object for each workitem"},
	{0}};
static const struct sn_command COMMAND = {
	"skynet show", "[OPTIONS] ITEM|WFID [NAME]",
	"Shows a workitem, or all of a process. ITEM is its name in the spool, or the beginning of that, or\n"
	"the WFID of a process, of participant NAME (default: of all): where it is, when, what came out of it,\n"
	"and the workitem and its reply as JSON.",
	OPTIONS};

static void print_line(const char *key, const char *value)
{
	struct sn_buf line = SN_BUF(1 << 16);

	if (sn_pretty_line(value, strlen(value), &line) == 0)
		printf("%-12s %s\n", key, line.data != NULL && line.data[0] != '\0' ? line.data : "-");
	sn_buf_release(&line);
}

static void print_time(const char *key, int64_t us, int64_t since_us)
{
	char text[SN_TIME_TEXT_SIZE], age[16], line[96];

	sn_time_format(us, text);
	sn_cli_age(us, age);
	if (since_us != 0)
		(void)snprintf(line, sizeof line, "%s  (after %.3f s)", text, (double)(us - since_us) / 1e6);
	else
		(void)snprintf(line, sizeof line, "%s  (%s ago)", text, age);
	print_line(key, line);
}

static void print_json(const char *title, const char *text, size_t len)
{
	struct sn_buf out = SN_BUF((size_t)SN_CLI_BODY_MAX * 3);
	int r = sn_json_object(text, len, NULL, NULL, 0);

	printf("\n%s:\n", title);
	if ((r == 0 || r == -ENOTSUP) && sn_pretty(text, len, &out) == 0)
		(void)fwrite(out.data, 1, out.len, stdout); /* an error shows at the end */
	else
		printf("(not JSON, %zu bytes; spool-show prints them)\n", len);
	sn_buf_release(&out);
}

/* Where the answer itself is: with others in a journal, or in a file of its own. */
static void print_place(const struct sn_cli *cli, const struct sn_item *item,
			const struct sn_result_file *res)
{
	SN_AUTOFREE char *path = sn_item_result_path(&cli->home, item, res);
	SN_AUTOFREE char *line = sn_asprintf("%s  (%zu bytes from byte %jd on)", path != NULL ? path : "",
					     res->text.len, (intmax_t)res->at + 1);

	if (path != NULL)
		print_line("answer", res->journal[0] != '\0' ? line : path);
}

static void print_result(const struct sn_cli *cli, const struct sn_item *item, struct sn_result_file *res)
{
	int64_t arrived = sn_name_time_us(item->name);
	char attempt[32];
	int r = sn_item_result(item, res);

	if (r == -ENOENT) {
		print_line("outcome", item->state >= SN_ITEM_FAILED ? "none" : "not yet");
	} else if (r < 0) {
		print_line("outcome", "damaged");
	} else {
		print_time("started", res->head.started_us, arrived);
		print_time("finished", res->head.finished_us, res->head.started_us);
		print_line("outcome", sn_outcome_name(res->head.outcome));
		(void)snprintf(attempt, sizeof attempt, "%u", res->head.attempt);
		print_line("attempts", attempt);
		print_line("sent", sn_send_name(res->head.send));
	}
	if (r == 0 || res->journal[0] != '\0')
		print_place(cli, item, res);
	if (r < 0)
		res->text.len = 0;
}

static void print_notes(const struct sn_item *item)
{
	static const struct {
		const char *suffix, *title;
	} NOTES[] = {{".log", "why"}, {".retried", "retried"}};

	for (size_t i = 0; i < SN_COUNT(NOTES); i++) {
		struct sn_buf b = SN_BUF(1 << 20);
		char *rest, *line;

		if (item->state < SN_ITEM_FAILED || sn_item_read(item, NOTES[i].suffix, &b) < 0)
			continue;
		for (rest = b.data; (line = strsep(&rest, "\n")) != NULL;) {
			if (*line != '\0')
				print_line(NOTES[i].title, line);
		}
		sn_buf_release(&b);
	}
}

static void print_item(const struct sn_cli *cli, const struct sn_item *item)
{
	struct sn_buf body = SN_BUF(SN_CLI_BODY_MAX);
	struct sn_result_file res = {.text = SN_BUF(SN_CLI_RESULT_MAX)};
	SN_AUTOFREE char *path = sn_item_path(&cli->home, item);
	SN_AUTOFREE char *cancelled = sn_item_cancelled_by(item);
	struct sn_workitem w = {0};
	int r = sn_item_read(item, "", &body);

	if (r == 0)
		sn_workitem_read(body.data, body.len, &w);
	print_line("workitem", item->name);
	print_line("participant", item->shelf->participant);
	print_line("state", sn_item_state_name(item->state));
	print_line("file", path);
	print_line("wfid", w.fei.wfid);
	print_line("expid", w.fei.expid);
	print_time("arrived", sn_name_time_us(item->name), 0);
	print_result(cli, item, &res);
	if (cancelled != NULL)
		print_line("cancelled", "by the engine: nothing is sent");
	print_notes(item);
	if (r == 0)
		print_json("workitem", body.data, body.len);
	else
		print_line("body", strerror(-r));
	if (res.text.len > 0)
		print_json("reply", res.text.data + res.body_at, res.head.length);
	sn_buf_release(&body);
	sn_result_release(&res);
}

/* JSON as it came, no number or string read on the way; null: it is none, or there is none. */
static void json_body(struct sn_jsonw *w, const char *key, const char *text, size_t len)
{
	int r = len > 0 ? sn_json_object(text, len, NULL, NULL, 0) : -EINVAL;

	if (r == 0 || r == -ENOTSUP)
		sn_jsonw_raw(w, key, text, len);
	else
		sn_jsonw_string(w, key, NULL);
}

static void json_result(struct sn_jsonw *w, const struct sn_cli *cli, const struct sn_item *item)
{
	struct sn_result_file res = {.text = SN_BUF(SN_CLI_RESULT_MAX)};
	int r = sn_item_result(item, &res);
	SN_AUTOFREE char *path = NULL;

	if (r == 0 || res.journal[0] != '\0') /* also of a damaged one */
		path = sn_item_result_path(&cli->home, item, &res);
	sn_jsonw_string(w, "outcome",
			r == 0	       ? sn_outcome_name(res.head.outcome)
			: r == -ENOENT ? NULL
				       : "damaged");
	if (r == 0) {
		sn_jsonw_time(w, "started", res.head.started_us);
		sn_jsonw_time(w, "finished", res.head.finished_us);
		sn_jsonw_number(w, "attempts", res.head.attempt);
		sn_jsonw_string(w, "sent", sn_send_name(res.head.send));
	}
	sn_jsonw_string(w, "answer", path);
	if (path != NULL)
		sn_jsonw_number(w, "answer_at", res.at);
	json_body(w, "reply", r == 0 ? res.text.data + res.body_at : NULL, r == 0 ? res.head.length : 0);
	sn_result_release(&res);
}

static void json_note(struct sn_jsonw *w, const struct sn_item *item, const char *key, const char *suffix)
{
	struct sn_buf b = SN_BUF(1 << 20);
	bool there = item->state >= SN_ITEM_FAILED && sn_item_read(item, suffix, &b) == 0;

	sn_jsonw_string(w, key, there && b.len > 0 ? b.data : NULL);
	sn_buf_release(&b);
}

static void print_object(const struct sn_cli *cli, const struct sn_item *item)
{
	struct sn_buf body = SN_BUF(SN_CLI_BODY_MAX), out = SN_BUF((size_t)SN_CLI_BODY_MAX * 3);
	SN_AUTOFREE char *path = sn_item_path(&cli->home, item);
	SN_AUTOFREE char *cancelled = sn_item_cancelled_by(item);
	struct sn_jsonw w = {.buf = &out};
	struct sn_workitem head = {0};
	int r = sn_item_read(item, "", &body);

	if (r == 0)
		sn_workitem_read(body.data, body.len, &head);
	sn_jsonw_open(&w, NULL, '{');
	sn_jsonw_string(&w, "name", item->name);
	sn_jsonw_string(&w, "participant", item->shelf->participant);
	sn_jsonw_string(&w, "state", sn_item_state_name(item->state));
	sn_jsonw_string(&w, "file", path);
	sn_jsonw_string(&w, "wfid", head.fei.wfid);
	sn_jsonw_string(&w, "expid", head.fei.expid);
	sn_jsonw_time(&w, "arrived", sn_name_time_us(item->name));
	sn_jsonw_string(&w, "cancelled_by", cancelled);
	json_note(&w, item, "why", ".log");
	json_note(&w, item, "retried", ".retried");
	json_body(&w, "workitem", body.data, r == 0 ? body.len : 0);
	json_result(&w, cli, item);
	sn_jsonw_close(&w, '}');
	if (w.error < 0)
		sn_cli_die(cli, SN_EXIT_FAILED, "%s: too large for --json", item->name);
	sn_control_print_json((struct sn_span){.data = out.data, .len = out.len});
	sn_buf_release(&body);
	sn_buf_release(&out);
}

static void print_raw(const struct sn_cli *cli, const struct sn_item *item)
{
	struct sn_buf body = SN_BUF(SN_CLI_BODY_MAX);
	int r = sn_item_read(item, "", &body);

	if (r < 0)
		sn_cli_die(cli, sn_cli_code(r), "%s: cannot read: %s", item->name, strerror(-r));
	sn_cli_write(cli, body.data, body.len);
	sn_buf_release(&body);
}

/* All workitems of a process if `text` is a WFID, else the one whose name it begins. Exit code. */
static int find(struct sn_cli *cli, const struct sn_shelf *shelves, size_t count, const char *text,
		struct sn_items *ret)
{
	struct sn_item one;
	bool process = true;
	int code;

	for (size_t i = 0; i < count; i++) {
		int r = sn_items_find(&shelves[i], text, ret);

		if (r < 0)
			sn_cli_die(cli, sn_cli_code(r), "cannot list the spool of %s: %s",
				   shelves[i].participant, strerror(-r));
	}
	sn_items_sort(ret);
	for (size_t i = 0; i < ret->count; i++)
		process = process && strncmp(ret->list[i].name, text, strlen(text)) != 0;
	if (ret->count > 0 && process)
		return 0;
	sn_items_release(ret);
	code = sn_cli_find(cli, shelves, count, text, &one);
	if (code != 0)
		return code;
	*ret = (struct sn_items){.list = sn_malloc(sizeof one), .count = 1, .cap = 1};
	ret->list[0] = one;
	return 0;
}

/* how: an option, 0 none. */
static void print(const struct sn_cli *cli, const struct sn_item *item, int how, bool first)
{
	if (how == OPT_RAW) {
		print_raw(cli, item);
	} else if (how == OPT_JSON) {
		fputs(first ? "[" : ",\n ", stdout);
		print_object(cli, item);
	} else {
		if (!first)
			printf("\n----\n\n");
		print_item(cli, item);
	}
}

int main(int argc, char **argv)
{
	struct sn_cli cli = {.command = &COMMAND};
	struct sn_items items = {0};
	struct sn_shelf *shelves;
	int code, opt, how = 0;
	size_t count;

	while ((opt = sn_cli_next(&cli, argc, argv)) != -1) {
		if (how != 0 && how != opt)
			sn_cli_usage(&cli, "only one of --raw, --json");
		how = opt;
	}
	if (argc - optind < 1 || argc - optind > 2)
		sn_cli_usage(&cli, "an ITEM or a WFID is needed, and at most the NAME of a participant");
	sn_cli_home(&cli);
	shelves = sn_cli_shelves(&cli, argc - optind == 2 ? argv[optind + 1] : NULL, &count);
	code = find(&cli, shelves, count, argv[optind], &items);
	if (code != 0)
		return code;
	if (how == OPT_RAW && items.count > 1)
		sn_cli_die(&cli, SN_EXIT_BAD_ITEM, "%s: means %zu workitems", argv[optind], items.count);
	for (size_t i = 0; i < items.count; i++)
		print(&cli, &items.list[i], how, i == 0);
	if (how == OPT_JSON)
		printf("]\n");
	sn_items_release(&items);
	for (size_t i = 0; i < count; i++)
		sn_shelf_release(&shelves[i]);
	free(shelves);
	sn_home_release(&cli.home);
	return sn_cli_end(&cli);
}
