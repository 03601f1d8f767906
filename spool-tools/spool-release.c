/* Lets held workitems go. */
#include "svc/cli.h"
#include "svc/hold.h"
#include "svc/put.h"

static const struct sn_option OPTIONS[] = {{0}};
static const struct sn_command COMMAND = {
	"spool-release", "[OPTIONS] NAME ITEM…",
	"Lets workitems go that spool-hold has held: they are worked on next.", OPTIONS};

static void release(struct sn_cli *cli, struct sn_shelf *shelf, const char *text)
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
		r = sn_hold_release(&shelf->s, item.name);
	sn_role_leave();
	if (r == -ENOENT)
		sn_cli_failed(cli, SN_EXIT_UNKNOWN, "%s: it is gone", item.name);
	else if (r < 0)
		sn_cli_failed(cli, sn_cli_code(r), "%s: cannot release it: %s", item.name, strerror(-r));
	else
		cli->done++;
	if (r == 1)
		fprintf(stderr, "%s: %s: was not held\n", COMMAND.name, item.name);
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
		release(&cli, &shelf, argv[i]);
	sn_shelf_release(&shelf);
	sn_home_release(&cli.home);
	return sn_cli_end(&cli);
}
