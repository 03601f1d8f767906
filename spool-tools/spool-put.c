/* Hands in workitems by hand: each file becomes a new workitem of the participant, as if the engine had sent it. */
#include "base/log.h"
#include "svc/cli.h"
#include "svc/put.h"

static const struct sn_option OPTIONS[] = {{0}};
static const struct sn_command COMMAND = {
	"spool-put", "[OPTIONS] NAME [FILE|-]…",
	"Hands in workitems to participant NAME, one per FILE (- or none: standard input),\n"
	"checked as the bridge checks them. Prints the name of each in the spool.",
	OPTIONS};

static void put(struct sn_cli *cli, struct sn_put *p, const char *file)
{
	struct sn_buf body =
		SN_BUF(p->max_size_bytes < SN_CLI_BODY_MAX ? p->max_size_bytes : SN_CLI_BODY_MAX);
	const char *why = "";
	char name[SN_NAME_SIZE];
	int r = sn_cli_read(file, &body);

	if (r == -E2BIG) {
		sn_cli_failed(cli, SN_EXIT_BAD_ITEM, "%s: larger than max_size, %zu bytes", file,
			      body.max_bytes);
	} else if (r < 0) {
		sn_cli_failed(cli, SN_EXIT_BAD_ITEM, "%s: cannot read: %s", file, strerror(-r));
	} else if ((r = sn_put(p, body.data, body.len, name, &why)) == -EBADMSG) {
		sn_cli_failed(cli, SN_EXIT_BAD_ITEM, "%s: no workitem: %s", file, why);
	} else if (r < 0) {
		sn_cli_failed(cli, sn_cli_code(r), "%s: cannot store it: %s", file, strerror(-r));
	} else {
		cli->done++;
		printf("%s\n", name);
	}
	sn_buf_release(&body);
}

int main(int argc, char **argv)
{
	struct sn_cli cli = {.command = &COMMAND};
	struct sn_put p;
	int r;

	while (sn_cli_next(&cli, argc, argv) != -1)
		continue; /* --home and --help only */
	if (optind >= argc)
		sn_cli_usage(&cli, "the NAME of a participant is needed");
	sn_cli_home(&cli);
	r = sn_put_open(&cli.home, argv[optind], &p);
	if (r == -ENOENT)
		sn_cli_die(&cli, SN_EXIT_UNKNOWN, "%s: no such participant (no spool in %s)", argv[optind],
			   cli.home.spool);
	if (r < 0)
		sn_cli_die(&cli, sn_cli_code(r), "cannot open the spool of %s: %s", argv[optind],
			   strerror(-r));
	if (optind + 1 == argc)
		put(&cli, &p, "-");
	for (int i = optind + 1; i < argc; i++)
		put(&cli, &p, argv[i]);
	sn_put_close(&p);
	sn_home_release(&cli.home);
	return sn_cli_end(&cli);
}
