/* Keeps waiting workitems from being worked on. */
#include "svc/cli.h"
#include "svc/hold.h"

static const struct sn_option OPTIONS[] = {{0}};
static const struct sn_command COMMAND = {
	"spool-hold", "[OPTIONS] NAME ITEM…",
	"Keeps waiting workitems (a name, its beginning, or a WFID) of participant NAME from being\n"
	"worked on, until spool-release. What is being worked on or answered cannot be held (exit 75).",
	OPTIONS};

static void failed(struct sn_cli *cli, const char *name, int err)
{
	if (err == -EBUSY)
		sn_cli_failed(cli, SN_EXIT_TRY_AGAIN, "%s: it is being worked on, or answered", name);
	else
		sn_cli_failed(cli, sn_cli_code(err), "%s: cannot hold it: %s", name, strerror(-err));
}

int main(int argc, char **argv)
{
	static const struct sn_cli_step HOLD = {sn_hold, failed, "was held already"};

	return sn_cli_each_open(&COMMAND, argc, argv, &HOLD);
}
