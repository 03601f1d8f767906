/* Starts a process: hands a definition to the engine. */
#include <stdlib.h>

#include "base/mem.h"
#include "svc/launch.h"

enum { OPT_VARIABLE = SN_OPT_FIRST, OPT_PRINT };

static const struct sn_option OPTIONS[] = {
	{'f', "field", "K=V", "set field K; again for more, later ones win"},
	{OPT_VARIABLE, "variable", "K=V", "set variable K of the process"},
	{OPT_PRINT, "print", NULL, "print the launch item, and launch nothing"},
	{0},
};
static const struct sn_command COMMAND = {
	"skynet launch", "[--field K=V]… [--variable K=V]… FILE|-",
	"Has the engine start a process. FILE is a process definition (Ruby, XML or radial text, or a tree in\n"
	"JSON), or a launch item: a JSON object with `definition`, and `fields` and `variables` if it likes.\n"
	"V is taken as JSON if it is JSON (7, true, [1,2], \"7\"), else as text. a.b.c=V makes objects.\n\n"
	"Exit code: 0 the engine's queue has it; 65 FILE is neither; 69 this home has no broker, or it is not\n"
	"reached; 75 the engine's queue does not exist; 77 the credentials cannot be read (root and skynet can);\n"
	"124 the broker did not confirm: the engine may get it or not.",
	OPTIONS};

struct set {
	const char *part, *assignment;
};

static void apply(const struct sn_cli *cli, struct sn_buf *item, const struct set *sets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int r = sn_launch_set(item, sets[i].part, sets[i].assignment);

		if (r == -EINVAL)
			sn_cli_usage(cli, "'%s' is no KEY=VALUE", sets[i].assignment);
		if (r < 0)
			sn_cli_die(cli, SN_EXIT_BAD_ITEM, "'%s': %s", sets[i].assignment,
				   r == -EILSEQ ? "no UTF-8 text" : strerror(-r));
	}
}

static void make_item(const struct sn_cli *cli, const char *file, struct sn_buf *item)
{
	struct sn_buf text = SN_BUF(SN_CLI_BODY_MAX);
	const char *why = NULL;
	int r = sn_cli_read(file, &text);

	if (r < 0)
		sn_cli_die(cli, SN_EXIT_BAD_ITEM, "%s: cannot read: %s", file, strerror(-r));
	r = sn_launch_item(text.data, text.len, item, &why);
	if (r < 0)
		sn_cli_die(cli, SN_EXIT_BAD_ITEM, "%s: %s", file, why != NULL ? why : strerror(-r));
	sn_buf_release(&text);
}

int main(int argc, char **argv)
{
	struct sn_cli cli = {.command = &COMMAND};
	struct set *sets = sn_calloc((size_t)argc + 1, sizeof *sets);
	struct sn_buf item = SN_BUF(SN_CLI_BODY_MAX);
	bool print = false;
	size_t count = 0;
	int opt, code = 0;

	while ((opt = sn_cli_next(&cli, argc, argv)) != -1) {
		if (opt == OPT_PRINT)
			print = true;
		else
			sets[count++] = (struct set){.part = opt == 'f' ? "fields" : "variables",
						     .assignment = optarg};
	}
	if (argc - optind != 1)
		sn_cli_usage(&cli, "one FILE is needed, or - for standard input");
	sn_cli_home(&cli);
	make_item(&cli, argv[optind], &item);
	apply(&cli, &item, sets, count);
	if (print) {
		sn_cli_write(&cli, item.data, item.len);
		putchar('\n');
	} else {
		code = sn_launch_publish(&cli, &item);
	}
	free(sets);
	sn_buf_release(&item);
	sn_home_release(&cli.home);
	return code != 0 ? code : sn_cli_end(&cli);
}
