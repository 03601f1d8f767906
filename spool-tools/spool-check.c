/* Checks spools: everything that docs/SPOOL.md does not have, or that a crash leaves behind; and repairs it. */
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "base/mem.h"
#include "svc/check.h"
#include "svc/cli.h"
#include "svc/pretty.h"
#include "svc/service.h"
#include "sys/dir.h"
#include "sys/lock.h"

enum { OPT_REPAIR = SN_OPT_FIRST, OPT_DEEP, OPT_JSON };

static const struct sn_option OPTIONS[] = {
	{OPT_REPAIR, "repair", NULL,
	 "repair what can be repaired; what needs a stopped bridge or participant says so"},
	{OPT_DEEP, "deep", NULL, "read what is finished, and compare the digests"},
	{OPT_JSON, "json", NULL, "one JSON object per finding"},
	{0}};
static const struct sn_command COMMAND = {
	"spool-check", "[OPTIONS] [NAME…]",
	"Checks the spools of participants NAME (default: all). Each finding is a line:\n"
	"CODE PATH: what it means; what --repair does about it. Exit 0: clean, 1: findings that stay.",
	OPTIONS};

struct run {
	struct sn_cli *cli;
	bool repair, json;
	unsigned findings, repaired;
};

/* Why the finding cannot be repaired now; NULL: it can. */
static const char *obstacle(const struct sn_check *c, const struct sn_trouble_kind *kind)
{
	switch (kind->fix) {
	case SN_FIX_NONE:
		return "a person must decide";
	case SN_FIX_BRIDGE:
		return c->bridge_runs ? "needs a stopped bridge (which does it itself when it starts)" : NULL;
	case SN_FIX_EXO:
		return c->exo_runs ? "needs a stopped participant" : NULL;
	case SN_FIX_SAFE:
		break;
	}
	return NULL;
}

/* Tries the repair if that is wished. What became of it, for people; the caller's. */
static char *mend(struct run *run, struct sn_check *c, const struct sn_finding *f)
{
	const struct sn_trouble_kind *kind = sn_trouble_kind(f->trouble);
	const char *why = obstacle(c, kind);
	int r;

	if (kind->repair == NULL)
		return sn_strdup(why);
	if (!run->repair)
		return sn_asprintf("--repair: %s (%s)", kind->repair, why != NULL ? why : "possible now");
	if (why != NULL)
		return sn_asprintf("not repaired: %s", why);
	r = sn_check_repair(c, f);
	if (r < 0)
		return sn_asprintf("not repaired: cannot %s: %s", kind->repair, strerror(-r));
	run->repaired++;
	return sn_asprintf("repaired: %s", kind->repair);
}

static void print_json(const struct sn_check *c, const struct sn_finding *f, const char *note)
{
	printf("{\"participant\":\"%s\",\"code\":\"%s\"", c->shelf->participant,
	       sn_trouble_kind(f->trouble)->code);
	sn_command_json_member("path", f->path);
	sn_command_json_member("name", f->name);
	sn_command_json_member("meaning", sn_trouble_kind(f->trouble)->meaning);
	sn_command_json_member("note", note);
	puts("}");
}

static void found(void *arg, struct sn_check *c, const struct sn_finding *f)
{
	struct run *run = arg;
	const struct sn_trouble_kind *kind = sn_trouble_kind(f->trouble);
	SN_AUTOFREE char *note = mend(run, c, f);
	struct sn_buf path = SN_BUF(4096);
	/* A record: the path says in which file, not of whom. */
	const bool in_journal = f->name[0] != '\0' && strstr(f->path, f->name) == NULL;

	run->findings++;
	if (run->json)
		print_json(c, f, note);
	else if (sn_pretty_line(f->path, strlen(f->path), &path) == 0)
		printf("%s %s/%s/%s%s%s: %s; %s\n", kind->code, run->cli->home.spool, c->shelf->participant,
		       path.data != NULL ? path.data : "", in_journal ? ": " : "", in_journal ? f->name : "",
		       kind->meaning, note);
	sn_buf_release(&path);
}

static void quiet(void *arg, bool error, const char *file, unsigned line, const char *text)
{
	(void)arg, (void)error, (void)file, (void)line,
		(void)text; /* `skynet config` says what is wrong with it */
}

/* Who owns what in the system home; elsewhere, and where it cannot be known, nobody is wrong. */
static void expect(const struct sn_cli *cli, struct sn_check *c)
{
	struct sn_config_reader rd = {.complain = quiet};
	struct sn_config config;
	const struct passwd *pw;
	const struct group *adm;
	int r = sn_home_config(&cli->home, c->shelf->participant, &rd, &config);

	c->owner = (struct sn_spool_owner){(uid_t)-1, (gid_t)-1, (gid_t)-1, (gid_t)-1};
	c->max_attempts = r == 0 ? config.participant.max_attempts : 99;
	if (r == 0 && cli->home.system) {
		if ((pw = getpwnam(config.skynet.user)) != NULL) {
			c->owner.skynet = pw->pw_uid;
			c->owner.skynet_group = c->owner.adm = pw->pw_gid;
		}
		if ((adm = getgrnam("adm")) != NULL)
			c->owner.adm = adm->gr_gid;
		if ((pw = getpwnam(config.participant.user)) != NULL)
			c->owner.participant = pw->pw_gid;
	}
	sn_config_release(&config);
}

/* With --repair the locks are taken, so that nobody starts in between. -1: it runs. */
static int take_lock(const struct sn_cli *cli, const char *name, bool repair, bool *ret_runs)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/%s", cli->home.run, name);
	SN_AUTOFD int dir = sn_dir_open(AT_FDCWD, path);
	int fd = -1;

	*ret_runs = sn_cli_runs(cli, name);
	/* A lock that is not there is not made: it would be root's, and the service could not open it. */
	if (!repair || *ret_runs || dir < 0 || !sn_check_exists(dir, "lock"))
		return -1;
	fd = sn_lock_take(dir, "lock", false);
	*ret_runs = fd < 0;
	return fd < 0 ? -1 : fd;
}

static void check(struct run *run, const char *participant, bool deep, bool bridge_runs)
{
	struct sn_cli *cli = run->cli;
	struct sn_shelf shelf = {0};
	SN_AUTOFD int dir = open(cli->home.spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	SN_AUTOFD int lock = -1;
	struct sn_check c = {.shelf = &shelf,
			     .spooldir = dir,
			     .deep = deep,
			     .bridge_runs = bridge_runs,
			     .found = found,
			     .arg = run};
	int r = dir < 0 ? -errno : (sn_participant_valid(participant) ? 0 : -ENOENT);

	(void)snprintf(shelf.participant, sizeof shelf.participant, "%s",
		       participant); /* valid, or not used */
	if (r == 0) {
		lock = take_lock(cli, participant, run->repair, &c.exo_runs);
		expect(cli, &c);
		r = sn_check_layout(&c);
	}
	if (r == 1) /* a finding that stays; the rest cannot be looked at */
		return;
	if (r == 0)
		r = sn_shelf_open(&cli->home, participant, &shelf);
	if (r == 0 && shelf.s.result < 0) {
		sn_shelf_release(&shelf);
		r = -EACCES;
	}
	if (r == -ENOENT) {
		sn_cli_failed(cli, SN_EXIT_UNKNOWN, "%s: no such participant (no spool in %s)", participant,
			      cli->home.spool);
		return;
	}
	if (r == 0 &&
	    ((r = sn_check_open(&c)) < 0 || (r = sn_check_work(&c)) < 0 || (r = sn_check_finished(&c)) < 0))
		sn_shelf_release(&shelf);
	if (r < 0)
		sn_cli_failed(cli, sn_cli_code(r), "%s: cannot check all of it: %s", participant,
			      strerror(-r));
	else
		sn_shelf_release(&shelf);
}

static void check_all(struct run *run, bool deep, bool bridge_runs)
{
	char **names;
	int r = sn_shelf_names(&run->cli->home, &names);

	if (r < 0)
		sn_cli_die(run->cli, sn_cli_code(r), "cannot list %s: %s", run->cli->home.spool,
			   strerror(-r));
	for (size_t i = 0; names[i] != NULL; i++)
		check(run, names[i], deep, bridge_runs);
	sn_home_files_free(names);
}

int main(int argc, char **argv)
{
	struct sn_cli cli = {.command = &COMMAND};
	struct run run = {.cli = &cli};
	bool deep = false, bridge_runs;
	SN_AUTOFD int lock = -1;
	int opt;

	while ((opt = sn_cli_next(&cli, argc, argv)) != -1) {
		run.repair = run.repair || opt == OPT_REPAIR;
		run.json = run.json || opt == OPT_JSON;
		deep = deep || opt == OPT_DEEP;
	}
	sn_cli_home(&cli);
	lock = take_lock(&cli, SN_BRIDGE_NAME, run.repair, &bridge_runs);
	if (optind == argc)
		check_all(&run, deep, bridge_runs);
	for (int i = optind; i < argc; i++)
		check(&run, argv[i], deep, bridge_runs);
	if (!run.json)
		printf("%u findings, %u repaired%s\n", run.findings, run.repaired,
		       cli.failed > 0 ? "; not everything could be checked" : "");
	sn_home_release(&cli.home);
	if (cli.failed > 0)
		return sn_cli_end(&cli);
	opt = sn_command_flush(&COMMAND);
	return run.findings > run.repaired ? SN_EXIT_FAILED : opt;
}
