/* Waits until services are in a state: looked at every 50 ms, because three things decide it (state file, lock, runit). */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "svc/cli.h"
#include "svc/service.h"
#include "sys/dir.h"

enum { OPT_FOR = SN_OPT_FIRST, OPT_QUIET, POLL_MS = 50 };

static const struct sn_option OPTIONS[] = {
	{'t', "timeout", "S", "give up after S seconds (also 0.5, 2m; default 60; 0: look once)"},
	{OPT_FOR, "for", "STATE", "ready (default), up, down or idle"},
	{OPT_QUIET, "quiet", NULL, "say nothing, only exit"},
	{0},
};
static const struct sn_command COMMAND = {
	"skynet wait", "[--timeout S] [--for ready|up|down|idle] NAME…",
	"Waits until services are in a state. All that are named are to be\n"
	"  ready  the handler has started (amqp-spool: connected or brokerless)\n"
	"  up     the process runs, ready or not\n"
	"  down   no process is left\n"
	"  idle   no workitem is open\n\n"
	"Exit code: 0; 1 one cannot become ready (configuration, backoff); 4 no such participant; 124 timeout.",
	OPTIONS};

enum answer { NOT_YET, THERE, NEVER };
typedef enum answer reached(const struct sn_home *h, const char *name, const struct sn_service *s);

static enum answer is_ready(const struct sn_home *h, const char *name, const struct sn_service *s)
{
	(void)h, (void)name;
	if (s->ready)
		return THERE;
	return s->failed ? NEVER : NOT_YET;
}

static enum answer is_up(const struct sn_home *h, const char *name, const struct sn_service *s)
{
	(void)h, (void)name;
	if (s->running && strcmp(s->state, "starting") != 0)
		return THERE;
	return strcmp(s->state, "config-error") == 0 ? NEVER : NOT_YET;
}

static enum answer is_down(const struct sn_home *h, const char *name, const struct sn_service *s)
{
	(void)h, (void)name;
	return !s->running && s->pid == 0 && strcmp(s->state, "starting") != 0 ? THERE : NOT_YET;
}

static enum answer is_idle(const struct sn_home *h, const char *name, const struct sn_service *s)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/%s/open", h->spool, name);
	SN_AUTOFD int dir = sn_dir_open(AT_FDCWD, path);

	(void)s;
	if (dir == -EACCES)
		return NEVER;
	return dir >= 0 && sn_dir_count(dir) == 0 ? THERE : NOT_YET;
}

static const struct goal {
	const char *word;
	reached *reached;
} GOALS[] = {{"ready", is_ready}, {"up", is_up}, {"down", is_down}, {"idle", is_idle}};

struct wait {
	struct sn_cli cli;
	const struct goal *goal;
	bool quiet;
	int64_t until_ns;
};

static enum answer look(const struct wait *w, const char *name)
{
	struct sn_service s;
	enum answer a = NEVER;

	if (sn_service_look(&w->cli.home, name, &s) == 0)
		a = w->goal->reached(&w->cli.home, name, &s);
	sn_service_release(&s);
	return a;
}

static void explain(const struct wait *w, const char *name)
{
	struct sn_service s;

	if (w->quiet)
		return;
	if (sn_service_look(&w->cli.home, name, &s) < 0)
		fprintf(stderr, "%s: gone\n", name);
	else if (s.status.reason != NULL && (s.running || s.failed || strcmp(s.want, "up") == 0))
		fprintf(stderr, "%s: not %s, %s: %s\n", name, w->goal->word, s.state, s.status.reason);
	else
		fprintf(stderr, "%s: not %s, %s\n", name, w->goal->word, s.state);
	sn_service_release(&s);
}

/* 0, SN_EXIT_FAILED or SN_EXIT_TIMEOUT. */
static int wait_for(const struct wait *w, const char *name)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	enum answer a;

	while ((a = look(w, name)) == NOT_YET && sn_clock_mono_ns() < w->until_ns)
		(void)nanosleep(&pause, NULL); /* cut short by a signal: looked once more */
	if (a == THERE)
		return 0;
	explain(w, name);
	return a == NEVER ? SN_EXIT_FAILED : SN_EXIT_TIMEOUT;
}

static int wait_for_all(const struct wait *w, char *const *names)
{
	int code = 0, r;

	for (char *const *n = names; *n != NULL; n++) {
		if (!sn_service_exists(&w->cli.home, *n))
			return sn_command_fail(&COMMAND, SN_EXIT_UNKNOWN, "%s: no such participant", *n);
	}
	for (; *names != NULL; names++) {
		r = wait_for(w, *names);
		if (code == 0 || r == SN_EXIT_FAILED)
			code = r != 0 ? r : code;
	}
	return code;
}

static const struct goal *find_goal(const char *word)
{
	for (size_t i = 0; i < SN_COUNT(GOALS); i++) {
		if (strcmp(GOALS[i].word, word) == 0)
			return &GOALS[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct wait w = {.cli = {.command = &COMMAND}, .goal = &GOALS[0]};
	int64_t timeout_ns = 60 * 1000000000LL;
	int opt, code;

	while ((opt = sn_cli_next(&w.cli, argc, argv)) != -1) {
		if (opt == 't' && sn_command_duration(optarg, &timeout_ns) < 0)
			sn_cli_usage(&w.cli, "--timeout %s: no number of seconds", optarg);
		else if (opt == OPT_FOR)
			w.goal = find_goal(optarg);
		w.quiet = w.quiet || opt == OPT_QUIET;
	}
	if (w.goal == NULL)
		sn_cli_usage(&w.cli, "--for ready, up, down or idle");
	if (optind == argc)
		sn_cli_usage(&w.cli, "a NAME is needed");
	sn_cli_home(&w.cli);
	w.until_ns = sn_clock_mono_ns() + timeout_ns;
	code = wait_for_all(&w, argv + optind);
	sn_home_release(&w.cli.home);
	return code;
}
