/* What is installed: one line for each participant, from its configuration. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include "base/mem.h"
#include "svc/cli.h"

enum { OPT_NO_HEADER = SN_OPT_FIRST, OPT_JSON };

static const struct sn_option OPTIONS[] = {
	{OPT_JSON, "json", NULL, "as a JSON array"},
	{OPT_NO_HEADER, "no-header", NULL, "leave the first line out"},
	{0},
};
static const struct sn_command COMMAND = {
	"skynet list", "[--json] [--no-header] [NAME…]",
	"Lists the participants and how they are configured. CODE is the file that is run, links followed.\n"
	"A participant whose configuration is wrong is listed with ? (skynet config --check -p NAME says why).",
	OPTIONS};

struct row {
	const char *name;
	const char *queue, *regexp, *user;
	char instances[16];
	bool enabled;
	const char *code;
};

static void ignore(void *arg, bool error, const char *file, unsigned line, const char *text)
{
	(void)arg, (void)error, (void)file, (void)line, (void)text;
}

static void print_row(const struct row *r, bool json, bool first)
{
	if (!json) {
		printf("%-20s %-20s %-20s %-10s %9s %-7s %s\n", r->name, r->queue,
		       r->regexp[0] == '\0' ? "-" : r->regexp, r->user[0] == '\0' ? "-" : r->user,
		       r->instances, r->enabled ? "yes" : "no", r->code);
		return;
	}
	sn_command_json_row(first, r->name);
	sn_command_json_member("queue", r->queue);
	sn_command_json_member("regexp", r->regexp);
	sn_command_json_member("user", r->user);
	printf(",\"instances\":%s,\"enabled\":%s", r->instances[0] == '?' ? "null" : r->instances,
	       r->enabled ? "true" : "false");
	sn_command_json_member("code", r->code);
	putchar('}');
}

static int list_one(const struct sn_home *h, const char *name, bool json, bool first)
{
	struct sn_config c;
	struct sn_config_reader rd = {.complain = ignore};
	int r = sn_home_config(h, name, &rd, &c);
	SN_AUTOFREE char *code = sn_asprintf("%s/skynet-%s/%s", h->sv, name, c.participant.code);
	char target[PATH_MAX];
	struct row row = {
		.name = name, .queue = "?", .regexp = "?", .user = "?", .instances = "?", .code = "?"};

	if (r == -ENOENT) {
		sn_config_release(&c);
		return sn_command_fail(&COMMAND, SN_EXIT_UNKNOWN, "%s: no such participant", name);
	}
	row.enabled = sn_home_enabled(h, name);
	if (r == 0) {
		row.queue = c.participant.queue;
		row.regexp = c.participant.regexp;
		row.user = h->system ? c.participant.user : "";
		(void)snprintf(row.instances, sizeof row.instances, "%u", c.participant.instances);
		row.code = realpath(code, target) != NULL ? target : code;
	}
	print_row(&row, json, first);
	sn_config_release(&c);
	return 0;
}

static int list(const struct sn_home *h, char *const *names, bool json)
{
	int code = 0, r;
	bool first = true;

	for (; *names != NULL; names++) {
		r = list_one(h, *names, json, first);
		if (r == 0)
			first = false;
		else
			code = r;
	}
	return code;
}

static int run(const struct sn_cli *cli, char *const *names, bool json, bool header)
{
	char **all = names[0] == NULL ? sn_cli_participants(cli) : NULL;
	int code, flushed;

	if (json)
		putchar('[');
	else if (header)
		printf("%-20s %-20s %-20s %-10s %9s %-7s %s\n", "NAME", "QUEUE", "REGEXP", "USER",
		       "INSTANCES", "ENABLED", "CODE");
	code = list(&cli->home, all != NULL ? all : names, json);
	if (json)
		puts("]");
	sn_home_files_free(all);
	flushed = sn_command_flush(&COMMAND);
	return code != 0 ? code : flushed;
}

int main(int argc, char **argv)
{
	struct sn_cli cli = {.command = &COMMAND};
	bool json = false, header = true;
	int opt, code;

	while ((opt = sn_cli_next(&cli, argc, argv)) != -1) {
		json = json || opt == OPT_JSON;
		header = header && opt != OPT_NO_HEADER;
	}
	sn_cli_home(&cli);
	code = run(&cli, argv + optind, json, header);
	sn_home_release(&cli.home);
	return code;
}
