#include "svc/cli.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "svc/pretty.h"
#include "sys/dir.h"
#include "sys/fd.h"
#include "sys/lock.h"

enum { CANDIDATES_MAX = 20 };

int sn_cli_next(struct sn_cli *cli, int argc, char *const *argv)
{
	int opt;

	while ((opt = sn_command_next(cli->command, argc, argv)) == SN_OPT_HOME)
		cli->home_option = optarg;
	if (opt == SN_OPT_HELP)
		exit(sn_command_flush(cli->command));
	if (opt == SN_OPT_WRONG)
		exit(SN_EXIT_USAGE);
	return opt;
}

void sn_cli_home(struct sn_cli *cli)
{
	int code = sn_command_home(cli->command, cli->home_option, &cli->home);

	if (code != 0)
		exit(code);
	(void)umask(022);
}

static void say(const struct sn_cli *cli, const char *fmt, va_list ap)
{
	struct sn_buf line = SN_BUF(1 << 16);
	char *text = NULL;

	(void)fflush(stdout); /* in order with what was printed; an error shows at the end */
	if (vasprintf(&text, fmt, ap) >= 0 && sn_pretty_line(text, strlen(text), &line) == 0)
		fprintf(stderr, "%s: %s\n", cli->command->name, line.data != NULL ? line.data : "");
	free(text);
	sn_buf_release(&line);
}

void sn_cli_die(const struct sn_cli *cli, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(cli, fmt, ap);
	va_end(ap);
	exit(code);
}

void sn_cli_usage(const struct sn_cli *cli, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(cli, fmt, ap);
	va_end(ap);
	fprintf(stderr, "Try: %s --help\n", cli->command->name);
	exit(SN_EXIT_USAGE);
}

void sn_cli_failed(struct sn_cli *cli, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(cli, fmt, ap);
	va_end(ap);
	cli->failed++;
	cli->code = code;
}

int sn_cli_end(const struct sn_cli *cli)
{
	int flushed = sn_command_flush(cli->command);

	if (cli->failed == 0)
		return flushed;
	return cli->failed + cli->done == 1 ? cli->code : SN_EXIT_FAILED;
}

int sn_cli_code(int err)
{
	switch (-err) {
	case EACCES:
	case EPERM:
	case EROFS:
		return SN_EXIT_PERMISSION;
	case ENOSPC:
	case EDQUOT:
	case EAGAIN:
		return SN_EXIT_TRY_AGAIN;
	case ENOENT:
		return SN_EXIT_UNKNOWN;
	default:
		return SN_EXIT_FAILED;
	}
}

void sn_cli_shelf(const struct sn_cli *cli, const char *participant, struct sn_shelf *ret)
{
	int r = sn_shelf_open(&cli->home, participant, ret);

	if (r == -ENOENT)
		sn_cli_die(cli, SN_EXIT_UNKNOWN, "%s: no such participant (no spool in %s)", participant,
			   cli->home.spool);
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

int sn_cli_find(const struct sn_cli *cli, const struct sn_shelf *shelves, size_t count, const char *text,
		struct sn_item *ret)
{
	struct sn_cli quiet = *cli; /* the caller counts */
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
		sn_cli_failed(&quiet, code, "%s: no such workitem", text);
	} else {
		code = SN_EXIT_BAD_ITEM;
		sn_cli_failed(&quiet, code, "%s: means %zu workitems:", text, found.count);
		list_candidates(&found);
	}
	sn_items_release(&found);
	return code;
}

bool sn_cli_runs(const struct sn_cli *cli, const char *name)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/%s", cli->home.run, name);
	SN_AUTOFD int dir = sn_dir_open(AT_FDCWD, path);

	if (dir < 0)
		return dir != -ENOENT;
	return sn_lock_held(dir, "lock") != 0;
}

int sn_cli_read(const char *file, struct sn_buf *b)
{
	SN_AUTOFD int fd = -1;

	if (strcmp(file, "-") == 0)
		return sn_fd_read_all(STDIN_FILENO, b);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : sn_fd_read_all(fd, b);
}

void sn_cli_write(const struct sn_cli *cli, const void *data, size_t len)
{
	if (len > 0 && fwrite(data, 1, len, stdout) != len)
		sn_cli_die(cli, SN_EXIT_FAILED, "cannot write: %s", strerror(errno));
}

void sn_cli_age(int64_t since_us, char ret_text[16])
{
	static const struct {
		int64_t seconds, until;
		char unit;
	} UNITS[] = {{1, 120, 's'}, {60, 7200, 'm'}, {3600, 172800, 'h'}, {86400, INT64_MAX, 'd'}};
	int64_t s = (sn_clock_real_us() - since_us) / 1000000;
	size_t i = 0;

	s = s < 0 ? 0 : s; /* the clock was set back */
	while (s >= UNITS[i].until)
		i++;
	(void)snprintf(ret_text, 16, "%d%c", (int)(s / UNITS[i].seconds), UNITS[i].unit); /* fits */
}
