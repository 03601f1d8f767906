/* Runs a participant's handler in the foreground on a workitem that was kept. Sends nothing, changes nothing. This
 * front finds the workitem, becomes the participant (uid, environment, directory) and hands over to
 * python/SkyNET/_replay.py, which gets the bytes in anonymous files. */
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "svc/cli.h"
#include "svc/envfile.h"
#include "svc/programs.h"
#include "svc/put.h"
#include "sys/fd.h"

#define PYTHON "/usr/bin/python3"
/* Takes the place of the script's directory on sys.path, as exo-python has it, and no file of the service directory
 * is imported before the participant's own code is. */
#define START                                                                \
	"import sys; d = sys.argv.pop(1); sys.path[:1] = [d] if d else []; " \
	"from SkyNET._replay import main; sys.exit(main())"

enum {
	OPT_PARTICIPANT = 'p',
	OPT_PDB = SN_OPT_FIRST,
	OPT_DIFF,
	OPT_ENQUEUE,
	OPT_RAW,
	GROUPS_MAX = 64,
	ARGS_MAX = 32
};

static const struct sn_option OPTIONS[] = {
	{OPT_PARTICIPANT, "participant", "NAME", "whose handler, and whose spool is looked in first"},
	{OPT_PDB, "pdb", NULL, "stop in the debugger at the first line of handle_wi, and at an exception"},
	{OPT_DIFF, "diff", NULL, "compare the reply with the one that was sent; exit 1 if they differ"},
	{OPT_ENQUEUE, "enqueue", NULL, "only hand it in again, as a new workitem, and print its name"},
	{OPT_RAW, "raw", NULL, "print the reply as it would be sent, not indented"},
	{0}};
static const struct sn_command COMMAND = {
	"skynet replay", "[OPTIONS] FILE|ITEM|WFID",
	"Runs the handler again on a workitem that was kept. FILE, or in any spool a name, its beginning, or a\n"
	"WFID, says which. It runs in the foreground, with the participant's configuration, environment and\n"
	"(if root says so) uid. The reply goes to standard output, what is logged and printed to standard error;\n"
	"nothing is sent, and the spool stays as it is. Exit 0: the handler's outcome is ok, 1: error. A\n"
	"participant that is no Python is run as its worker would; --pdb and --diff are for Python.",
	OPTIONS};

struct replay {
	struct sn_cli cli;
	struct sn_shelf *shelves;
	size_t count;
	char participant[65];
	struct sn_buf body, old_reply;
	bool has_old, pdb, diff, enqueue, raw;
};

/* The item that a path below SPOOL/NAME/ means; false if it is no such path. */
static bool item_of_path(const struct replay *rp, const char *path, char ret_participant[65],
			 char ret_name[SN_NAME_SIZE])
{
	char real[PATH_MAX], home[PATH_MAX];
	const char *rest, *leaf;
	size_t len;

	if (realpath(path, real) == NULL || realpath(rp->cli.home.spool, home) == NULL)
		return false;
	len = strlen(home);
	if (strncmp(real, home, len) != 0 || real[len] != '/')
		return false;
	rest = real + len + 1;
	len = strcspn(rest, "/");
	if (len > 64)
		return false;
	memcpy(ret_participant, rest, len);
	ret_participant[len] = '\0';
	leaf = strrchr(real, '/') + 1;
	len = strcspn(leaf, ",");
	if (len > 5 && strcmp(leaf + len - 5, ".json") == 0)
		len -= 5;
	ret_name[0] = '\0';
	if (len <= SN_NAME_MAX) {
		memcpy(ret_name, leaf, len);
		ret_name[len] = '\0';
	}
	return sn_participant_valid(ret_participant);
}

static void take_item(struct replay *rp, const struct sn_item *item)
{
	struct sn_result_file res = {.text = SN_BUF(SN_CLI_RESULT_MAX)};
	int r = sn_item_read(item, "", &rp->body);

	if (r < 0)
		sn_cli_die(&rp->cli, sn_cli_code(r), "%s: cannot read: %s", item->name, strerror(-r));
	rp->has_old = sn_item_result(item, &res) == 0;
	if (rp->has_old && sn_buf_add(&rp->old_reply, res.text.data + res.body_at, res.head.length) < 0)
		rp->has_old = false; /* larger than any result */
	sn_result_release(&res);
	if (rp->participant[0] == '\0')
		memcpy(rp->participant, item->shelf->participant, sizeof rp->participant);
}

static void take_file(struct replay *rp, const char *path)
{
	char participant[65] = "", name[SN_NAME_SIZE] = "";
	struct sn_shelf shelf;
	struct sn_items found = {0};
	int r;

	if (item_of_path(rp, path, participant, name) && sn_name_valid(name) &&
	    sn_shelf_open(&rp->cli.home, participant, &shelf) == 0) {
		r = sn_items_find(&shelf, name, &found);
		if (r == 0 && found.count == 1)
			take_item(rp, &found.list[0]);
		sn_items_release(&found);
		sn_shelf_release(&shelf);
		if (rp->body.data != NULL)
			return;
	}
	if (rp->participant[0] == '\0')
		memcpy(rp->participant, participant, sizeof participant);
	r = sn_cli_read(path, &rp->body);
	if (r < 0)
		sn_cli_die(&rp->cli, SN_EXIT_BAD_ITEM, "%s: cannot read: %s", path, strerror(-r));
}

/* Is it in the spool of --participant? Then what other participants had of the same process is not meant. */
static bool in_own_spool(const struct replay *rp, const char *what)
{
	struct sn_shelf shelf;
	struct sn_items found = {0};
	bool own;

	if (rp->participant[0] == '\0' || sn_shelf_open(&rp->cli.home, rp->participant, &shelf) < 0)
		return false;
	own = sn_items_find(&shelf, what, &found) == 0 && found.count > 0;
	sn_items_release(&found);
	sn_shelf_release(&shelf);
	return own;
}

static void take(struct replay *rp, const char *what)
{
	struct sn_item item;
	int code;

	if (strcmp(what, "-") == 0 || strchr(what, '/') != NULL || access(what, F_OK) == 0) {
		take_file(rp, what);
	} else {
		rp->shelves =
			sn_cli_shelves(&rp->cli, in_own_spool(rp, what) ? rp->participant : NULL, &rp->count);
		code = sn_cli_find(&rp->cli, rp->shelves, rp->count, what, &item);
		if (code != 0)
			exit(code);
		take_item(rp, &item);
	}
	if (rp->participant[0] == '\0')
		sn_cli_usage(&rp->cli, "%s: in no spool, so --participant is needed", what);
}

static int enqueue(struct replay *rp, const char *what)
{
	char name[SN_NAME_SIZE];
	struct sn_put p;

	sn_cli_put_open(&rp->cli, rp->participant, &p);
	if (sn_cli_put(&rp->cli, &p, what, &rp->body, name) >= 0)
		printf("%s\n", name);
	sn_put_close(&p);
	return sn_cli_end(&rp->cli);
}

/* -- becoming the participant */

/* "g1:g2" and the uid's own group. */
static void set_groups(const struct replay *rp, const struct passwd *pw, const char *groups)
{
	SN_AUTOFREE char *copy = sn_strdup(groups);
	char *rest = copy, *word;
	gid_t list[GROUPS_MAX] = {pw->pw_gid};
	size_t n = 1;

	while ((word = strsep(&rest, ":")) != NULL) {
		const struct group *gr;

		if (*word == '\0')
			continue;
		gr = getgrnam(word);
		if (gr == NULL || n == GROUPS_MAX)
			sn_cli_die(&rp->cli, SN_EXIT_CONFIG, "groups: %s: no such group", word);
		list[n++] = gr->gr_gid;
	}
	if (setgroups(n, list) < 0 || setgid(pw->pw_gid) < 0)
		sn_cli_die(&rp->cli, SN_EXIT_PERMISSION, "cannot take the groups of %s: %s", pw->pw_name,
			   strerror(errno));
}

static void become(const struct replay *rp, const struct sn_config *config)
{
	const struct passwd *pw;

	if (!rp->cli.home.system || geteuid() != 0)
		return;
	pw = getpwnam(config->participant.user);
	if (pw == NULL)
		sn_cli_die(&rp->cli, SN_EXIT_CONFIG, "[participant] user '%s': no such user",
			   config->participant.user);
	set_groups(rp, pw, config->participant.groups);
	if (setuid(pw->pw_uid) < 0)
		sn_cli_die(&rp->cli, SN_EXIT_PERMISSION, "cannot become %s: %s", pw->pw_name,
			   strerror(errno));
	if (setenv("HOME", pw->pw_dir, 1) < 0 || setenv("USER", pw->pw_name, 1) < 0 ||
	    setenv("LOGNAME", pw->pw_name, 1) < 0)
		sn_cli_die(&rp->cli, SN_EXIT_TEMPORARY, "out of memory");
}

/* A descriptor, inherited by Python, with these bytes. */
static char *pass(const struct replay *rp, const struct sn_buf *b)
{
	int fd = memfd_create("workitem", 0), r = fd < 0 ? -errno : sn_fd_write_all(fd, b->data, b->len);

	if (r < 0 || lseek(fd, 0, SEEK_SET) < 0)
		sn_cli_die(&rp->cli, SN_EXIT_TRY_AGAIN, "cannot hand the workitem over: %s",
			   strerror(r < 0 ? -r : errno));
	return sn_asprintf("%d", fd);
}

/* python/ beside this program, where exo-python looks for it, too; "": it is installed where Python finds it. */
static char *python_dir(void)
{
	SN_AUTOFREE char *programs = sn_programs_dir();
	char *dir = sn_asprintf("%s/python", programs);

	if (access(dir, F_OK) < 0)
		dir[0] = '\0';
	return dir;
}

/* Code that is no Python: its worker does it (docs/WORKER.md). Memory is not given back here either. */
static void run_worker(struct replay *rp, const char *worker)
{
	SN_AUTOFREE char *programs = NULL, *program = NULL;
	char *args[9];
	size_t n = 0;

	if (rp->pdb || rp->diff)
		sn_cli_usage(&rp->cli, "--pdb and --diff are for handlers in Python");
	programs = sn_programs_dir();
	program = sn_asprintf("%s/%s", programs, worker);
	args[n++] = program;
	args[n++] = sn_strdup("--home");
	args[n++] = rp->cli.home.root;
	args[n++] = sn_strdup("--replay");
	args[n++] = pass(rp, &rp->body);
	if (rp->raw)
		args[n++] = sn_strdup("--raw");
	args[n++] = rp->participant;
	args[n] = NULL;
	(void)execv(program, args); /* returns only on an error */
	sn_cli_die(&rp->cli, SN_EXIT_UNAVAILABLE, "cannot start %s: %s", program, strerror(errno));
}

static size_t count(char *const *list)
{
	size_t n = 0;

	while (list[n] != NULL)
		n++;
	return n;
}

/* Memory is not given back: exec follows, or the end. */
static void run_python(struct replay *rp, const struct sn_config *config, char **files)
{
	char **args = sn_calloc(count(files) + ARGS_MAX, sizeof *args);
	size_t n = 0;

	args[n++] = sn_strdup(PYTHON);
	args[n++] = sn_strdup("-c");
	args[n++] = sn_strdup(START);
	args[n++] = python_dir();
	if (rp->pdb)
		args[n++] = sn_strdup("--pdb");
	if (rp->raw)
		args[n++] = sn_strdup("--raw");
	args[n++] = sn_asprintf("--exo-class=%s", config->participant.exo_class);
	args[n++] = sn_asprintf("--code=%s", config->participant.code);
	args[n++] = sn_asprintf("--body-fd=%s", pass(rp, &rp->body));
	if (rp->diff)
		args[n++] = sn_asprintf("--diff-fd=%s", pass(rp, &rp->old_reply));
	args[n++] = rp->participant;
	memcpy(args + n, files, count(files) * sizeof *files);
	(void)execv(PYTHON, args); /* returns only on an error */
	sn_cli_die(&rp->cli, SN_EXIT_UNAVAILABLE, "cannot start %s: %s", PYTHON, strerror(errno));
}

static void run(struct replay *rp)
{
	SN_AUTOFREE char *dir = sn_asprintf("%s/skynet-%s", rp->cli.home.sv, rp->participant);
	char **files = sn_home_config_files(&rp->cli.home, rp->participant);
	struct sn_config config;
	struct sn_config_reader rd = {0};
	struct sn_env env = {0};
	const char *worker;
	int r = sn_home_config(&rp->cli.home, rp->participant, &rd, &config);

	if (r == -ENOENT)
		sn_cli_die(&rp->cli, SN_EXIT_UNKNOWN, "%s: no such participant", rp->participant);
	if (r < 0)
		sn_cli_die(&rp->cli, SN_EXIT_CONFIG, "%s: its configuration is wrong", rp->participant);
	become(rp, &config);
	sn_env_load(&env, &rp->cli.home, rp->participant);
	if (sn_env_apply(&env) < 0 || setenv("SKYNET_PARTICIPANT", rp->participant, 1) < 0)
		sn_cli_die(&rp->cli, SN_EXIT_TEMPORARY, "out of memory");
	if (chdir(dir) < 0)
		sn_cli_die(&rp->cli, sn_cli_code(-errno), "cannot enter %s: %s", dir, strerror(errno));
	worker = sn_programs_worker(config.participant.code);
	if (strcmp(worker, "exo-python") == 0)
		run_python(rp, &config, files);
	run_worker(rp, worker);
}

static void parse(struct replay *rp, int argc, char **argv)
{
	int opt;

	while ((opt = sn_cli_next(&rp->cli, argc, argv)) != -1) {
		switch (opt) {
		case OPT_PARTICIPANT:
			if (!sn_participant_valid(optarg))
				sn_cli_usage(&rp->cli, "--participant %s: no name of a participant", optarg);
			(void)snprintf(rp->participant, sizeof rp->participant, "%s", optarg); /* fits */
			break;
		case OPT_PDB:
			rp->pdb = true;
			break;
		case OPT_DIFF:
			rp->diff = true;
			break;
		case OPT_ENQUEUE:
			rp->enqueue = true;
			break;
		default:
			rp->raw = true;
			break;
		}
	}
	if (argc - optind != 1)
		sn_cli_usage(&rp->cli, "one FILE, ITEM or WFID is needed");
	if (rp->enqueue && (rp->pdb || rp->diff || rp->raw))
		sn_cli_usage(&rp->cli, "--enqueue runs nothing here: no --pdb, --diff or --raw with it");
}

int main(int argc, char **argv)
{
	struct replay rp = {.cli = {.command = &COMMAND},
			    .body = SN_BUF(SN_CLI_BODY_MAX),
			    .old_reply = SN_BUF(SN_CLI_BODY_MAX)};

	parse(&rp, argc, argv);
	sn_cli_home(&rp.cli);
	take(&rp, argv[optind]);
	if (rp.enqueue)
		return enqueue(&rp, argv[optind]);
	if (sn_json_object(rp.body.data, rp.body.len, NULL, NULL, 0) <
	    0) /* fei and all: a handler tried out can do without */
		sn_cli_die(&rp.cli, SN_EXIT_BAD_ITEM, "%s: no workitem: not a JSON object", argv[optind]);
	if (rp.diff && !rp.has_old)
		sn_cli_die(&rp.cli, SN_EXIT_UNKNOWN, "%s: no reply was kept to compare with", argv[optind]);
	run(&rp);
	return SN_EXIT_FAILED;
}
