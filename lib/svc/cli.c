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

char **sn_cli_participants(const struct sn_cli *cli)
{
	char **names;
	int r = sn_home_participants(&cli->home, &names);

	if (r < 0)
		sn_cli_die(cli, r == -EACCES ? SN_EXIT_PERMISSION : SN_EXIT_FAILED, "%s: %s", cli->home.sv,
			   strerror(-r));
	return names;
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

char *sn_cli_sibling(const char *name)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	self[n < 0 ? 0 : n] = '\0';
	return sn_asprintf("%.*s/%s", (int)(strrchr(self, '/') == NULL ? 0 : strrchr(self, '/') - self), self,
			   name);
}
