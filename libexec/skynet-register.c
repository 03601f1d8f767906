/* Has the engine send a participant's work to its queue, and keeps a record of that. */
#include <stdlib.h>

#include "svc/registry.h"
#include "svc/service.h"

enum { OPT_ALL = SN_OPT_FIRST, OPT_LIST, OPT_JSON };

static const struct sn_option OPTIONS[] = {
	{OPT_ALL, "all", NULL, "every participant whose configuration has a regexp"},
	{'r', "regexp", "R",
	 "the names that process definitions use, for a queue that is no participant's here"},
	{'q', "queue", "Q", "that queue"},
	{OPT_LIST, "list", NULL, "show what this host registered, and register nothing"},
	{OPT_JSON, "json", NULL, "with --list: as a JSON array"},
	{0},
};
static const struct sn_command COMMAND = {
	"skynet register",
	"--all|NAME…\n"
	"       skynet register --regexp R --queue Q\n"
	"       skynet register --list [--json]",
	"Has the engine send the work for participants to their queues. A participant is known to it by the\n"
	"`regexp` of its configuration, or by its own NAME where that is not set. Registering again replaces.\n"
	"What was registered stands in the record lib/registered of the home, for (skynet unregister).\n\n"
	"Exit code: 0; 1 some failed; 4 no such participant; 69 no broker; 75 the engine's queue does not exist;\n"
	"77 the credentials cannot be read (root and skynet can);\n"
	"124 the broker did not confirm: the engine may get it or not.",
	OPTIONS};

struct job {
	struct sn_cli cli;
	struct sn_registry reg;
	bool all, list, json;
	const char *regexp, *queue;
};

static void register_one(struct job *j, const char *name, const char *regexp, const char *queue)
{
	int code, r;

	if (!sn_registry_valid(regexp) || !sn_registry_valid(queue)) {
		sn_cli_failed(&j->cli, SN_EXIT_CONFIG,
			      "%s: regexp and queue are text without control characters", name);
		return;
	}
	code = sn_registry_publish(&j->cli, regexp, queue, false);
	if (code != 0) {
		sn_cli_failed(&j->cli, code, "%s: not registered", name);
		return;
	}
	for (size_t i = 0; i < j->reg.count; i++) {
		if (strcmp(j->reg.list[i].name, name) == 0 && strcmp(name, "-") != 0 &&
		    strcmp(j->reg.list[i].regexp, regexp) != 0)
			fprintf(stderr,
				"%s: %s is still registered as '%s' too (skynet unregister --regexp)\n",
				COMMAND.name, name, j->reg.list[i].regexp);
	}
	r = sn_registry_set(&j->reg, name, queue, regexp);
	if (r == 0)
		r = sn_registry_save(&j->reg);
	if (r < 0)
		sn_cli_failed(&j->cli, sn_cli_code(r), "%s: is registered, but not in the record: %s", name,
			      strerror(-r));
	else
		j->cli.done++;
}

static void register_name(struct job *j, const char *name)
{
	struct sn_config_reader rd = {.complain = sn_command_complain};
	struct sn_config c;
	int r = sn_home_config(&j->cli.home, name, &rd, &c);

	if (r == -ENOENT)
		sn_cli_failed(&j->cli, SN_EXIT_UNKNOWN, "%s: no such participant", name);
	else if (r < 0)
		sn_cli_failed(&j->cli, SN_EXIT_CONFIG, "%s: its configuration is wrong", name);
	else if (j->all && c.participant.regexp[0] == '\0')
		fprintf(stderr, "%s: %s has no regexp and is left out\n", COMMAND.name, name);
	else
		register_one(j, name, c.participant.regexp[0] == '\0' ? name : c.participant.regexp,
			     c.participant.queue);
	sn_config_release(&c);
}

static void print_list(const struct job *j)
{
	fputs(j->json ? "[" : "", stdout);
	for (size_t i = 0; i < j->reg.count; i++) {
		const struct sn_registration *g = &j->reg.list[i];

		if (!j->json) {
			printf("%-20s %-20s %-27s %s\n", g->name, g->queue, g->time, g->regexp);
			continue;
		}
		sn_command_json_row(i == 0, g->name);
		sn_command_json_member("queue", g->queue);
		sn_command_json_member("regexp", g->regexp);
		sn_command_json_member("registered", g->time);
		putchar('}');
	}
	fputs(j->json ? "]\n" : "", stdout);
}

static void run(struct job *j, char *const *names)
{
	char **all = NULL;
	int r = sn_registry_open(&j->reg, &j->cli.home, !j->list);

	if (r < 0)
		sn_cli_die(&j->cli, sn_cli_code(r), "the record in %s: %s", j->cli.home.lib, strerror(-r));
	if (j->list) {
		if (!j->json)
			printf("%-20s %-20s %-27s %s\n", "NAME", "QUEUE", "REGISTERED", "REGEXP");
		print_list(j);
	} else if (j->regexp != NULL) {
		register_one(j, "-", j->regexp, j->queue);
	} else {
		if (j->all)
			names = all = sn_cli_participants(&j->cli);
		for (; *names != NULL; names++)
			register_name(j, *names);
		sn_home_files_free(all);
	}
	sn_registry_close(&j->reg);
}

static void parse(struct job *j, int argc, char *const *argv)
{
	int opt;

	while ((opt = sn_cli_next(&j->cli, argc, argv)) != -1) {
		j->all = j->all || opt == OPT_ALL;
		j->list = j->list || opt == OPT_LIST;
		j->json = j->json || opt == OPT_JSON;
		if (opt == 'r')
			j->regexp = optarg;
		else if (opt == 'q')
			j->queue = optarg;
	}
	if ((j->regexp == NULL) != (j->queue == NULL))
		sn_cli_usage(&j->cli, "--regexp and --queue go together");
	if (j->all + j->list + (j->regexp != NULL) + (optind < argc) != 1)
		sn_cli_usage(&j->cli, "which? NAME…, --all, --regexp R --queue Q, or --list");
}

int main(int argc, char **argv)
{
	struct job j = {.cli = {.command = &COMMAND}};

	parse(&j, argc, argv);
	sn_cli_home(&j.cli);
	run(&j, argv + optind);
	sn_home_release(&j.cli.home);
	return sn_cli_end(&j.cli);
}
