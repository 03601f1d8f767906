/* Lets held workitems go. */
#include "svc/cli.h"
#include "svc/hold.h"

static const struct sn_option OPTIONS[] = {{0}};
static const struct sn_command COMMAND = {
	"spool-release", "[OPTIONS] NAME ITEM…",
	"Lets workitems go that spool-hold has held: they are worked on next.", OPTIONS};

static void failed(struct sn_cli *cli, const char *name, int err)
{
	if (err == -ENOENT)
		sn_cli_failed(cli, SN_EXIT_UNKNOWN, "%s: it is gone", name);
	else
		sn_cli_failed(cli, sn_cli_code(err), "%s: cannot release it: %s", name, strerror(-err));
}

int main(int argc, char **argv)
{
	static const struct sn_cli_step RELEASE = {sn_hold_release, failed, "was not held"};

	return sn_cli_each_open(&COMMAND, argc, argv, &RELEASE);
}
