/* What the tools do with spools and workitems: opening, finding, handing in, one step for each. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "svc/cli.h"
#include "sys/dir.h"

enum { CANDIDATES_MAX = 20 };

/* There is no spool, or one that is not whole: then what is missing is said. */
static void no_spool(const struct sn_cli *cli, const char *participant) SN_NORETURN;
static void no_spool(const struct sn_cli *cli, const char *participant)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/%s", cli->home.spool, participant);
	SN_AUTOFD int dir = sn_participant_valid(participant) ? sn_dir_open(AT_FDCWD, path) : -1;
	const struct sn_spool_layout *row;
	size_t count;

	row = sn_spool_layout(&count);
	for (size_t i = 0; dir >= 0 && i < count; i++) {
		if (faccessat(dir, row[i].path, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
			sn_cli_die(
				cli, SN_EXIT_CONFIG,
				"%s: its spool is not whole: %s/%s is missing (skynet spool check --repair %s)",
				participant, path, row[i].path, participant);
	}
	sn_cli_die(cli, SN_EXIT_UNKNOWN, "%s: no such participant (no spool in %s)", participant,
		   cli->home.spool);
}

void sn_cli_shelf(const struct sn_cli *cli, const char *participant, struct sn_shelf *ret)
{
	int r = sn_shelf_open(&cli->home, participant, ret);

	if (r == -ENOENT)
		no_spool(cli, participant);
	if (r < 0)
		sn_cli_die(cli, sn_cli_code(r), "cannot open the spool %s/%s: %s", cli->home.spool,
			   participant, strerror(-r));
}

struct sn_shelf *sn_cli_shelves(const struct sn_cli *cli, const char *participant, size_t *ret_count)
{
	struct sn_shelf *shelves;
	size_t count = 0, n = 0;
	char **names;
	int r;

	if (participant != NULL) {
		shelves = sn_calloc(1, sizeof *shelves);
		sn_cli_shelf(cli, participant, shelves);
		*ret_count = 1;
		return shelves;
	}
	r = sn_shelf_names(&cli->home, &names);
	if (r < 0)
		sn_cli_die(cli, sn_cli_code(r), "cannot list %s: %s", cli->home.spool, strerror(-r));
	while (names[n] != NULL)
		n++;
	shelves = sn_calloc(n, sizeof *shelves);
	for (size_t i = 0; i < n; i++) {
		r = sn_shelf_open(&cli->home, names[i], &shelves[count]);
		if (r == 0)
			count++;
		else
			fprintf(stderr, "%s: %s/%s is left out: %s\n", cli->command->name, cli->home.spool,
				names[i], strerror(-r));
	}
	if (r < 0 && count == 0)
		exit(sn_cli_code(r));
	sn_home_files_free(names);
	*ret_count = count;
	return shelves;
}

static void list_candidates(const struct sn_items *found)
{
	for (size_t i = 0; i < found->count && i < CANDIDATES_MAX; i++)
		fprintf(stderr, "  %s %s %s\n", found->list[i].shelf->participant, found->list[i].name,
			sn_item_state_name(found->list[i].state));
	if (found->count > CANDIDATES_MAX)
		fprintf(stderr, "  … and %zu more\n", found->count - CANDIDATES_MAX);
}

int sn_cli_find(struct sn_cli *cli, const struct sn_shelf *shelves, size_t count, const char *text,
		struct sn_item *ret)
{
	struct sn_items found = {0};
	int code = 0, r;

	for (size_t i = 0; i < count; i++) {
		r = sn_items_find(&shelves[i], text, &found);
		if (r < 0)
			sn_cli_die(cli, sn_cli_code(r), "cannot list the spool of %s: %s",
				   shelves[i].participant, strerror(-r));
	}
	sn_items_sort(&found);
	if (found.count == 1) {
		*ret = found.list[0];
	} else if (found.count == 0) {
		code = SN_EXIT_UNKNOWN;
		sn_cli_failed(cli, code, "%s: no such workitem", text);
	} else {
		code = SN_EXIT_BAD_ITEM;
		sn_cli_failed(cli, code, "%s: means %zu workitems:", text, found.count);
		list_candidates(&found);
	}
	sn_items_release(&found);
	return code;
}

static void do_step(struct sn_cli *cli, struct sn_shelf *shelf, const char *text,
		    const struct sn_cli_step *step)
{
	struct sn_item item;
	int r;

	if (sn_cli_find(cli, shelf, 1, text, &item) != 0)
		return;
	if (item.state >= SN_ITEM_FAILED) {
		sn_cli_failed(cli, SN_EXIT_BAD_ITEM, "%s: it is %s", item.name,
			      sn_item_state_name(item.state));
		return;
	}
	r = sn_role_enter(&shelf->s);
	if (r == 0)
		r = step->run(&shelf->s, item.name);
	sn_role_leave();
	if (r < 0)
		step->failed(cli, item.name, r);
	else
		cli->done++;
	if (r == 1)
		fprintf(stderr, "%s: %s: %s\n", cli->command->name, item.name, step->already);
}

int sn_cli_each_open(const struct sn_command *command, int argc, char *const *argv,
		     const struct sn_cli_step *step)
{
	struct sn_cli cli = {.command = command};
	struct sn_shelf shelf;

	while (sn_cli_next(&cli, argc, argv) != -1)
		continue; /* --home and --help only */
	if (argc - optind < 2)
		sn_cli_usage(&cli, "the NAME of a participant and an ITEM are needed");
	sn_cli_home(&cli);
	sn_cli_shelf(&cli, argv[optind], &shelf);
	if (shelf.s.result < 0)
		sn_cli_die(&cli, SN_EXIT_PERMISSION, "%s: work/ of the spool is closed to you", argv[optind]);
	for (int i = optind + 1; i < argc; i++)
		do_step(&cli, &shelf, argv[i], step);
	sn_shelf_release(&shelf);
	sn_home_release(&cli.home);
	return sn_cli_end(&cli);
}

void sn_cli_put_open(const struct sn_cli *cli, const char *participant, struct sn_put *ret)
{
	int r = sn_put_open(&cli->home, participant, ret);

	if (r == -ENOENT)
		no_spool(cli, participant);
	if (r < 0)
		sn_cli_die(cli, sn_cli_code(r), "cannot open the spool of %s: %s", participant, strerror(-r));
}

int sn_cli_put(struct sn_cli *cli, struct sn_put *p, const char *label, const struct sn_buf *body,
	       char ret_name[SN_NAME_SIZE])
{
	const char *why = "";
	int r = sn_put(p, body->data, body->len, ret_name, &why);

	if (r == -EBADMSG)
		sn_cli_failed(cli, SN_EXIT_BAD_ITEM, "%s: no workitem: %s", label, why);
	else if (r == -EFBIG)
		sn_cli_failed(cli, SN_EXIT_BAD_ITEM, "%s: larger than max_size", label);
	else if (r < 0)
		sn_cli_failed(cli, sn_cli_code(r), "%s: cannot store it: %s", label, strerror(-r));
	else
		cli->done++; /* 1: a cancel item */
	return r;
}

int sn_cli_put_file(struct sn_cli *cli, struct sn_put *p, const char *file, char ret_name[SN_NAME_SIZE])
{
	struct sn_buf body =
		SN_BUF(p->max_size_bytes < SN_CLI_BODY_MAX ? p->max_size_bytes : SN_CLI_BODY_MAX);
	int r = sn_cli_read(file, &body);

	if (r == -E2BIG)
		sn_cli_failed(cli, SN_EXIT_BAD_ITEM, "%s: larger than max_size, %zu bytes", file,
			      body.max_bytes);
	else if (r < 0)
		sn_cli_failed(cli, SN_EXIT_BAD_ITEM, "%s: cannot read: %s", file, strerror(-r));
	else
		r = sn_cli_put(cli, p, file, &body, ret_name);
	sn_buf_release(&body);
	return r;
}
