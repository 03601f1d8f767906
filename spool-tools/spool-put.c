/* Hands in workitems by hand: each file becomes a new workitem of the participant, as if the engine had sent it. */
#include "svc/cli.h"

static const struct sn_option OPTIONS[] = {{0}};
static const struct sn_command COMMAND = {
	"spool-put", "[OPTIONS] NAME [FILE|-]…",
	"Hands in workitems to participant NAME, one per FILE (- or none: standard input),\n"
	"checked as the bridge checks them. Prints the name of each in the spool. A cancel item (\"cancel\": true)\n"
	"is carried out by the bridge.",
	OPTIONS};

static void put(struct sn_cli *cli, struct sn_put *p, const char *file)
{
	char name[SN_NAME_SIZE];

	if (sn_cli_put_file(cli, p, file, name) >= 0)
		printf("%s\n", name);
}

int main(int argc, char **argv)
{
	struct sn_cli cli = {.command = &COMMAND};
	struct sn_put p;

	while (sn_cli_next(&cli, argc, argv) != -1)
		continue; /* --home and --help only */
	if (optind >= argc)
		sn_cli_usage(&cli, "the NAME of a participant is needed");
	sn_cli_home(&cli);
	sn_cli_put_open(&cli, argv[optind], &p);
	if (optind + 1 == argc)
		put(&cli, &p, "-");
	for (int i = optind + 1; i < argc; i++)
		put(&cli, &p, argv[i]);
	sn_put_close(&p);
	sn_home_release(&cli.home);
	return sn_cli_end(&cli);
}
