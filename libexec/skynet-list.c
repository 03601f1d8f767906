/* What is installed: one line for each participant, from its configuration. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>

#include "base/mem.h"
#include "svc/cli.h"
#include "svc/registry.h"

enum { OPT_NO_HEADER = SN_OPT_FIRST, OPT_JSON };

static const struct sn_option OPTIONS[] = {
	{OPT_JSON, "json", NULL, "as a JSON array"},
	{OPT_NO_HEADER, "no-header", NULL, "leave the first line out"},
	{0},
};
static const struct sn_command COMMAND = {
	"skynet list", "[--json] [--no-header] [NAME…]",
	"Lists the participants and how they are configured. CODE is the file that is run, links followed.\n"
	"REGISTERED: this host told the engine of it (skynet register --list).\n"
	"A participant whose configuration is wrong is listed with ? (skynet config --check -p NAME says why).",
	OPTIONS};

struct list {
	struct sn_cli cli;
	struct sn_registry reg;
	bool json;
};

struct row {
	const char *name;
	const char *queue, *regexp, *user;
	char instances[16];
	bool enabled;
	const char *registered; /* when, NULL: not, as far as we know */
	const char *code;
};

static void ignore(void *arg, bool error, const char *file, unsigned line, const char *text)
{
	(void)arg, (void)error, (void)file, (void)line, (void)text;
}

static void print_row(const struct row *r, bool json, bool first)
{
	if (!json) {
		printf("%-20s %-20s %-20s %-10s %9s %-7s %-10s %s\n", r->name, r->queue,
		       r->regexp[0] == '\0' ? "-" : r->regexp, r->user[0] == '\0' ? "-" : r->user,
		       r->instances, r->enabled ? "yes" : "no", r->registered != NULL ? "yes" : "no",
		       r->code);
		return;
	}
	sn_command_json_row(first, r->name);
	sn_command_json_member("queue", r->queue);
	sn_command_json_member("regexp", r->regexp);
	sn_command_json_member("user", r->user);
	printf(",\"instances\":%s,\"enabled\":%s", r->instances[0] == '?' ? "null" : r->instances,
	       r->enabled ? "true" : "false");
	sn_command_json_member("registered", r->registered);
	sn_command_json_member("code", r->code);
	putchar('}');
}

/* When the newest of its registrations was. */
static const char *find_time(const struct sn_registry *reg, const char *name)
{
	const char *time = NULL;

	for (size_t i = 0; i < reg->count; i++) {
		if (strcmp(reg->list[i].name, name) == 0 &&
		    (time == NULL || strcmp(time, reg->list[i].time) < 0))
			time = reg->list[i].time;
	}
	return time;
}

static int list_one(const struct list *l, const char *name, bool first)
{
	const struct sn_home *h = &l->cli.home;
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
	row.registered = find_time(&l->reg, name);
	if (r == 0) {
		row.queue = c.participant.queue;
		row.regexp = c.participant.regexp;
		row.user = h->system ? c.participant.user : "";
		(void)snprintf(row.instances, sizeof row.instances, "%u", c.participant.instances);
		row.code = realpath(code, target) != NULL ? target : code;
	}
	print_row(&row, l->json, first);
	sn_config_release(&c);
	return 0;
}

static int list(const struct list *l, char *const *names)
{
	int code = 0, r;
	bool first = true;

	for (; *names != NULL; names++) {
		r = list_one(l, *names, first);
		if (r == 0)
			first = false;
		else
			code = r;
	}
	return code;
}

static int run(const struct list *l, char *const *names, bool header)
{
	char **all = names[0] == NULL ? sn_cli_participants(&l->cli) : NULL;
	int code, flushed;

	if (l->json)
		putchar('[');
	else if (header)
		printf("%-20s %-20s %-20s %-10s %9s %-7s %-10s %s\n", "NAME", "QUEUE", "REGEXP", "USER",
		       "INSTANCES", "ENABLED", "REGISTERED", "CODE");
	code = list(l, all != NULL ? all : names);
	if (l->json)
		puts("]");
	sn_home_files_free(all);
	flushed = sn_command_flush(&COMMAND);
	return code != 0 ? code : flushed;
}

int main(int argc, char **argv)
{
	struct list l = {.cli = {.command = &COMMAND}};
	bool header = true;
	int opt, code;

	while ((opt = sn_cli_next(&l.cli, argc, argv)) != -1) {
		l.json = l.json || opt == OPT_JSON;
		header = header && opt != OPT_NO_HEADER;
	}
	sn_cli_home(&l.cli);
	if (sn_registry_open(&l.reg, &l.cli.home, false) < 0)
		fprintf(stderr, "skynet list: the record of registrations cannot be read\n");
	code = run(&l, argv + optind, header);
	sn_registry_close(&l.reg);
	sn_home_release(&l.cli.home);
	return code;
}
