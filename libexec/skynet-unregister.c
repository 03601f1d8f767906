/* Has the engine forget a participant that this host registered. */
#include <regex.h>
#include <stdlib.h>

#include "base/mem.h"
#include "svc/registry.h"

enum { OPT_ALL = SN_OPT_FIRST, OPT_FORCE };

static const struct sn_option OPTIONS[] = {
	{OPT_ALL, "all", NULL, "all that this host registered"},
	{'r', "regexp", "R", "what was registered under this regexp"},
	{'q', "queue", "Q", "only if it is this queue"},
	{OPT_FORCE, "force", NULL, "also what is not in the record, or cannot be told apart"},
	{0},
};
static const struct sn_command COMMAND = {
	"skynet unregister",
	"[--force] --all|NAME…\n"
	"       skynet unregister [--force] --regexp R [--queue Q]",
	"Has the engine send no more work to participants. The engine looks a participant up by a name, and\n"
	"takes the first that matches: told of one it does not know, it drops its catch-all, and the work of\n"
	"every other host gets lost. So what is not in the record of (skynet register --list) is refused, and\n"
	"so is a regexp that does not match its own text, as ^a.*$ does not.\n\n"
	"Exit code: 0; 1 some failed; 4 not registered by this host; 69 no broker; 75 the engine's queue does\n"
	"not exist; 77 the credentials cannot be read (root and skynet can); 124 the broker did not confirm.",
	OPTIONS};

struct job {
	struct sn_cli cli;
	struct sn_registry reg;
	bool all, force;
	const char *regexp, *queue;
};

/* The engine anchors what it is given and matches with that. */
static bool finds_itself(const char *text)
{
	SN_AUTOFREE char *anchored = sn_asprintf("^(%s)$", text);
	regex_t re;
	bool found;

	if (regcomp(&re, anchored, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	found = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return found;
}

/* An exit code: 0 the engine was told; SN_EXIT_TIMEOUT: perhaps; anything else: not. */
static int tell(struct job *j, const char *regexp, const char *queue)
{
	int code = sn_registry_publish(&j->cli, regexp, queue, true);

	if (code == 0)
		j->cli.done++;
	else
		sn_cli_failed(&j->cli, code, "'%s': not unregistered", regexp);
	return code;
}

/* The row goes before the engine is told: one too many in the record costs the catch-all, one too few a --force. */
static void unregister_row(struct job *j, size_t i)
{
	SN_AUTOFREE char *name = sn_strdup(j->reg.list[i].name), *queue = sn_strdup(j->reg.list[i].queue),
			 *regexp = sn_strdup(j->reg.list[i].regexp);
	int r, code;

	if (!j->force && !finds_itself(regexp)) {
		sn_cli_failed(
			&j->cli, SN_EXIT_FAILED,
			"'%s' does not match its own text: the engine would drop another one (--force tells it)",
			regexp);
		return;
	}
	sn_registry_drop(&j->reg, i);
	r = sn_registry_save(&j->reg);
	if (r < 0)
		sn_cli_die(&j->cli, sn_cli_code(r), "cannot write the record: %s", strerror(-r));
	code = tell(j, regexp, queue);
	if (code == 0 || code == SN_EXIT_TIMEOUT)
		return;
	r = sn_registry_set(&j->reg, name, queue, regexp);
	if (r == 0)
		r = sn_registry_save(&j->reg);
	if (r < 0)
		sn_cli_failed(&j->cli, sn_cli_code(r), "'%s' is not in the record any more: %s", regexp,
			      strerror(-r));
}

/* Rows of this participant, or with this regexp; both NULL: all. How many there were. */
static size_t unregister_rows(struct job *j, const char *name)
{
	size_t found = 0;

	for (size_t i = j->reg.count; i-- > 0;) {
		const struct sn_registration *g = &j->reg.list[i];

		if ((name != NULL && strcmp(g->name, name) != 0) ||
		    (j->regexp != NULL && strcmp(g->regexp, j->regexp) != 0) ||
		    (j->queue != NULL && strcmp(g->queue, j->queue) != 0))
			continue;
		unregister_row(j, i);
		found++;
	}
	return found;
}

static void unregister_unknown(struct job *j, const char *name)
{
	struct sn_config_reader rd = {.complain = sn_command_complain};
	struct sn_config c;

	if (!j->force) {
		sn_cli_failed(
			&j->cli, SN_EXIT_UNKNOWN,
			"%s: not registered by this host: the engine might drop its catch-all (--force tells it)",
			name);
		return;
	}
	if (j->regexp != NULL) {
		(void)tell(j, j->regexp, j->queue != NULL ? j->queue : j->regexp); /* counted there */
		return;
	}
	if (sn_home_config(&j->cli.home, name, &rd, &c) == 0)
		(void)tell(j, c.participant.regexp[0] == '\0' ? name : c.participant.regexp,
			   c.participant.queue);
	else
		(void)tell(j, name, name);
	sn_config_release(&c);
}

static void run(struct job *j, char *const *names)
{
	int r = sn_registry_open(&j->reg, &j->cli.home, true);

	if (r < 0)
		sn_cli_die(&j->cli, sn_cli_code(r), "the record in %s: %s", j->cli.home.lib, strerror(-r));
	if (j->all)
		(void)unregister_rows(j, NULL); /* none is as good */
	else if (j->regexp != NULL && unregister_rows(j, NULL) == 0)
		unregister_unknown(j, j->regexp);
	for (; *names != NULL; names++) {
		if (unregister_rows(j, *names) == 0)
			unregister_unknown(j, *names);
	}
	sn_registry_close(&j->reg);
}

int main(int argc, char **argv)
{
	struct job j = {.cli = {.command = &COMMAND}};
	int opt;

	while ((opt = sn_cli_next(&j.cli, argc, argv)) != -1) {
		j.all = j.all || opt == OPT_ALL;
		j.force = j.force || opt == OPT_FORCE;
		if (opt == 'r')
			j.regexp = optarg;
		else if (opt == 'q')
			j.queue = optarg;
	}
	if (j.all + (j.regexp != NULL) + (optind < argc) != 1 || (j.queue != NULL && j.regexp == NULL))
		sn_cli_usage(&j.cli, "which? NAME…, --all, or --regexp R [--queue Q]");
	sn_cli_home(&j.cli);
	run(&j, argv + optind);
	sn_home_release(&j.cli.home);
	return sn_cli_end(&j.cli);
}
