/* exo --home HOME NAME: runs participant NAME. Exit codes: 0 after TERM or INT; 78 configuration; 111 temporary. */
#include <dirent.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/about.h"
#include "exo.h"

static struct exo exo = {.run_fd = -1, .lock_fd = -1, .spools_fd = -1, .inotify = -1, .control = {.fd = -1}};

static void log_line(const char *line, size_t len)
{
	output_line(&exo.out, line, len);
}

static int usage(void)
{
	(void)fputs("usage: exo --home HOME NAME\n", stderr); /* nothing to do about it */
	return SN_EXIT_USAGE;
}

static const char HELP[] =
	"--home HOME NAME\n\n"
	"Runs participant NAME: gives the workitems of its spool to workers; started by its service.\n\n"
	"      --home DIR  the home (default: SKYNET_HOME, else the system home)\n"
	"  -h, --help      this text\n"
	"  -V, --version   the version\n\n"
	"Exit code: 0 after TERM or INT; 64 usage; 78 configuration; 111 temporary. See exo(8).\n";

/* Returns 0 or an exit code. */
static int parse(int argc, char **argv, const char **ret_home)
{
	static const struct option OPTIONS[] = {{"home", required_argument, NULL, 'H'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
		if (c != 'H')
			return usage();
		*ret_home = optarg;
	}
	if (optind + 1 != argc)
		return usage();
	exo.name = argv[optind];
	return sn_participant_valid(exo.name) ? 0 : usage();
}

/* What whoever started us forgot to close would be inherited by every worker. */
static void close_foreign(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		int fd = (int)strtol(e->d_name, NULL, 10);

		if (fd > STDERR_FILENO && fd != dirfd(d))
			(void)close(fd);
	}
	if (d != NULL)
		(void)closedir(d); /* nothing was written */
}

/* First of all: TERM, INT and HUP stay blocked until the loop listens to them. */
static void hold_signals(void)
{
	sigset_t later;

	(void)sigemptyset(&later);
	(void)sigaddset(&later, SIGTERM);
	(void)sigaddset(&later, SIGINT);
	(void)sigaddset(&later, SIGHUP);
	(void)sigprocmask(SIG_SETMASK, &later, NULL);
}

static void prepare_process(void)
{
	close_foreign();
	(void)umask(022);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* runsv was killed: a new one starts another exo */
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
}

int main(int argc, char **argv)
{
	const char *home = NULL;
	int r;

	hold_signals();
	if (sn_about(argc, argv, "exo", HELP))
		return 0;
	r = parse(argc, argv, &home);
	if (r != 0)
		return r;
	prepare_process();
	exo.loop = ev_loop_new(EVFLAG_NOENV);
	if (exo.loop == NULL)
		return SN_EXIT_TEMPORARY;
	output_init(&exo.out, exo.loop);
	sn_log_set_sink(log_line);
	r = sn_home_init(&exo.home, home);
	if (r < 0) {
		sn_err("home %s: %s", home != NULL ? home : "(SKYNET_HOME)", strerror(-r));
		output_finish(&exo.out, 1);
		return SN_EXIT_CONFIG;
	}
	r = exo_start(&exo);
	if (r == 0) {
		(void)ev_run(exo.loop, 0); /* ended by ev_break */
		r = exo.exit_code;
	}
	exo_end(&exo, r > 0 ? r : 0);
	return r > 0 ? r : 0;
}
