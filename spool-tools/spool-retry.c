/* Hands failed (or finished) workitems in again, as new deliveries of the same bytes. */
#include <stdlib.h>

#include "base/clock.h"
#include "svc/cli.h"
#include "sys/dir.h"

enum { OPT_ALL = SN_OPT_FIRST, OPT_DONE };

static const struct sn_option OPTIONS[] = {
	{OPT_ALL, "all", NULL, "every failed workitem that was not retried yet"},
	{OPT_DONE, "done", NULL, "finished ones instead of failed ones"},
	{0}};
static const struct sn_command COMMAND = {
	"spool-retry", "[OPTIONS] NAME ITEM…|--all",
	"Hands failed workitems (a name, its beginning, or a WFID) of participant NAME in again.\n"
	"Each becomes a new workitem with a name of its own, which is printed; the old files stay,\n"
	"with a note beside them, NAME.retried. Not while the same body is open (exit 75).",
	OPTIONS};

/* The note beside the old files, one line for each time. */
static int note(struct sn_put *p, const struct sn_item *item, const char *new_name)
{
	char leaf[SN_NAME_SIZE + 16], now[SN_TIME_TEXT_SIZE];
	struct sn_buf text = SN_BUF(1 << 20);
	int r, dir;

	(void)snprintf(leaf, sizeof leaf, "%s.retried", item->name); /* fits */
	sn_time_format(sn_clock_real_us(), now);
	r = sn_role_enter(&p->shelf.s);
	dir = item->state == SN_ITEM_DONE ? sn_spool_done_dir(&p->shelf.s, item->name)
					  : sn_spool_failed_dir(&p->shelf.s, item->name);
	if (r == 0)
		r = dir < 0 ? dir : sn_dir_read(dir, leaf, &text);
	if (r == -ENOENT)
		r = 0;
	if (r == 0)
		r = sn_buf_addf(&text, "%s as %s\n", now, new_name);
	if (r == 0)
		r = sn_dir_replace(dir, leaf, text.data, text.len);
	sn_role_leave();
	sn_buf_release(&text);
	return r;
}

static void deliver(struct sn_cli *cli, struct sn_put *p, const struct sn_item *item,
		    const struct sn_buf *body)
{
	char name[SN_NAME_SIZE] = "";
	int r = sn_put_is_open(p, body->data, body->len, name);

	if (r == 1) {
		sn_cli_failed(cli, SN_EXIT_TRY_AGAIN, "%s: the same workitem is open, as %s", item->name,
			      name);
		return;
	}
	if (r < 0)
		sn_cli_failed(cli, sn_cli_code(r), "%s: cannot read open/: %s", item->name, strerror(-r));
	if (r < 0 || sn_cli_put(cli, p, item->name, body, name) < 0)
		return;
	printf("%s\n", name);
	r = note(p, item, name);
	if (r < 0)
		fprintf(stderr, "%s: %s: retried, but no note could be left: %s\n", COMMAND.name, item->name,
			strerror(-r));
}

static void retry(struct sn_cli *cli, struct sn_put *p, const struct sn_item *item)
{
	struct sn_buf body = SN_BUF(SN_CLI_BODY_MAX);
	int r = sn_item_read(item, "", &body);

	if (r < 0)
		sn_cli_failed(cli, sn_cli_code(r), "%s: cannot read: %s", item->name, strerror(-r));
	else
		deliver(cli, p, item, &body);
	sn_buf_release(&body);
}

static bool was_retried(const struct sn_item *item)
{
	SN_AUTOFD int fd = sn_item_open(item, ".retried");

	return fd >= 0;
}

static void retry_all(struct sn_cli *cli, struct sn_put *p, enum sn_item_state from)
{
	struct sn_items items = {0};
	int r = sn_items_list(&p->shelf, 1u << from, 0, &items);

	if (r < 0)
		sn_cli_die(cli, sn_cli_code(r), "cannot list the spool: %s", strerror(-r));
	for (size_t i = 0; i < items.count; i++) {
		if (!was_retried(&items.list[i]))
			retry(cli, p, &items.list[i]);
	}
	sn_items_release(&items);
}

static void retry_one(struct sn_cli *cli, struct sn_put *p, enum sn_item_state from, const char *text)
{
	struct sn_item item;

	if (sn_cli_find(cli, &p->shelf, 1, text, &item) != 0)
		return;
	if (item.state != from)
		sn_cli_failed(cli, SN_EXIT_BAD_ITEM, "%s: it is %s, not %s", item.name,
			      sn_item_state_name(item.state), sn_item_state_name(from));
	else
		retry(cli, p, &item);
}

int main(int argc, char **argv)
{
	struct sn_cli cli = {.command = &COMMAND};
	enum sn_item_state from = SN_ITEM_FAILED;
	struct sn_put p;
	bool all = false;
	int opt;

	while ((opt = sn_cli_next(&cli, argc, argv)) != -1) {
		all = all || opt == OPT_ALL;
		from = opt == OPT_DONE ? SN_ITEM_DONE : from;
	}
	if (optind >= argc || (optind + 1 == argc) != all)
		sn_cli_usage(&cli, "the NAME of a participant is needed, and either ITEMs or --all");
	sn_cli_home(&cli);
	sn_cli_put_open(&cli, argv[optind], &p);
	if (all)
		retry_all(&cli, &p, from);
	for (int i = optind + 1; i < argc; i++)
		retry_one(&cli, &p, from, argv[i]);
	sn_put_close(&p);
	sn_home_release(&cli.home);
	return sn_cli_end(&cli);
}
