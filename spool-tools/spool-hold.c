/* Keeps waiting workitems from being worked on. */
#include "svc/cli.h"
#include "svc/hold.h"
#include "svc/put.h"

static const struct sn_option OPTIONS[] = {{0}};
static const struct sn_command COMMAND = {
	"spool-hold", "[OPTIONS] NAME ITEM…",
	"Keeps waiting workitems (a name, its beginning, or a WFID) of participant NAME from being\n"
	"worked on, until spool-release. What is being worked on cannot be held (exit 75).",
	OPTIONS};

static void hold(struct sn_cli *cli, struct sn_shelf *shelf, const char *text)
{
	struct sn_item item;
	int r = sn_cli_find(cli, shelf, 1, text, &item);

	if (r != 0) {
		cli->failed++;
		cli->code = r;
		return;
	}
	if (item.state >= SN_ITEM_FAILED) {
		sn_cli_failed(cli, SN_EXIT_BAD_ITEM, "%s: it is %s", item.name,
			      sn_item_state_name(item.state));
		return;
	}
	r = sn_role_enter(&shelf->s);
	if (r == 0)
		r = sn_hold(&shelf->s, item.name);
	sn_role_leave();
	if (r == -EBUSY)
		sn_cli_failed(cli, SN_EXIT_TRY_AGAIN, "%s: it is being worked on", item.name);
	else if (r < 0)
		sn_cli_failed(cli, sn_cli_code(r), "%s: cannot hold it: %s", item.name, strerror(-r));
	else
		cli->done++;
	if (r == 1)
		fprintf(stderr, "%s: %s: was held already\n", COMMAND.name, item.name);
}

int main(int argc, char **argv)
{
	struct sn_cli cli = {.command = &COMMAND};
	struct sn_shelf shelf;

	while (sn_cli_next(&cli, argc, argv) != -1)
		continue; /* --home and --help only */
	if (argc - optind < 2)
		sn_cli_usage(&cli, "the NAME of a participant and an ITEM are needed");
	sn_cli_home(&cli);
	sn_cli_shelf(&cli, argv[optind], &shelf);
	if (shelf.s.new < 0)
		sn_cli_die(&cli, SN_EXIT_PERMISSION, "%s: work/ of the spool is closed to you", argv[optind]);
	for (int i = optind + 1; i < argc; i++)
		hold(&cli, &shelf, argv[i]);
	sn_shelf_release(&shelf);
	sn_home_release(&cli.home);
	return sn_cli_end(&cli);
}
