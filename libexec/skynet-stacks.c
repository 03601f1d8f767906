/* Has workers print their stacks into the log, and shows what comes there. */
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "svc/enquiry.h"
#include "svc/logfile.h"
#include "svc/pretty.h"
#include "svc/service.h"

enum { POLL_MS = 20, QUIET_MS = 500, LINES_MAX = 5000 };

static const struct sn_option OPTIONS[] = {
	{'t', "timeout", "S", "show at most S seconds of the log (default 3; 0: do not)"},
	{0},
};
static const struct sn_command COMMAND = {
	"skynet stacks", "[--timeout S] NAME|WFID|WORKITEM",
	"Shows what workers are executing. Every worker of participant NAME, or those that work on the process\n"
	"WFID, print the Python and the C stacks of all their threads into the log, without being stopped; one\n"
	"that is stuck, too. Shows\n"
	"what the kernel says of their processes, then the log until all is there, or nothing more comes.\n\n"
	"Exit code: 0; 3 NAME does not run; 4 no such participant, or nobody works on it; 75 it does not\n"
	"answer; 77 not permitted.",
	OPTIONS};

struct stacks {
	struct sn_cli cli;
	struct sn_enquiry e;
	unsigned *workers; /* of each participant: how many answered */
};

/* What a worker that has all its stacks in the log writes last. */
#define LAST_LINE "end of the stacks of process"

static void show(void *arg, struct sn_control *c, const char *type, struct sn_span line)
{
	static const char *const KEYS[] = {"worker", "pid", "processes"}, *const PROCESS[] = {"pid", "state",
											      "wchan",
											      "command"};
	struct stacks *s = arg;
	struct sn_span v[3], p[4], one = {0};

	if (strcmp(type, "stacks") != 0 || sn_json_object(line.data, line.len, KEYS, v, 3) < 0)
		return;
	printf("%s: ", c->participant);
	sn_control_print("worker ", v[0]);
	sn_control_print(", pid ", v[1]);
	putchar('\n');
	while (sn_json_next(v[2], &one)) {
		if (sn_json_object(one.data, one.len, PROCESS, p, 4) < 0)
			continue;
		sn_control_print("  pid ", p[0]);
		sn_control_print(" ", p[1]);
		sn_control_print(" ", p[2]);
		sn_control_print("  ", p[3]);
		putchar('\n');
	}
	s->workers[sn_enquiry_named(&s->e, c->participant) - s->e.asked]++;
}

/* Reads to the end of what is there, so that only what comes now is shown. 0 or -errno. */
static int open_log(const struct stacks *s, const char *name, struct sn_logfile *log)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/%s", s->cli.home.log, name);
	int r = sn_logfile_open(log, path, sn_clock_real_us() / 1000000 - 5);

	while (r == 0 && sn_logfile_next(log) > 0)
		continue;
	return r;
}

/* What wrote it is the participant: a terminal must not obey it. */
static void print_line(const char *text)
{
	struct sn_buf line = SN_BUF(1 << 20);

	if (sn_pretty_line(text, strlen(text), &line) == 0 && line.data != NULL)
		puts(line.data);
	sn_buf_release(&line);
}

/* Until each of the workers has said that this was all: true; or it is quiet: not every worker says so. */
static bool follow(struct sn_logfile *log, unsigned workers, int64_t until_ns)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	int64_t heard_ns = sn_clock_mono_ns();
	unsigned lines = 0;

	while (lines < LINES_MAX && workers > 0 && sn_clock_mono_ns() < until_ns &&
	       sn_clock_mono_ns() - heard_ns < QUIET_MS * 1000000LL) {
		while (lines < LINES_MAX && workers > 0 && sn_logfile_next(log) > 0) {
			print_line(log->text);
			heard_ns = sn_clock_mono_ns();
			lines++;
			if (strstr(log->text, LAST_LINE) != NULL)
				workers--;
		}
		(void)fflush(stdout);	       /* an error shows at the end */
		(void)nanosleep(&pause, NULL); /* a signal only makes us look earlier */
	}
	return workers == 0;
}

/* The logs of those who print something. */
static void show_logs(struct stacks *s, struct sn_logfile *logs, const int *opened, int64_t until_ns)
{
	for (size_t i = 0; i < s->e.count; i++) {
		if (!s->e.asked[i].matched)
			continue;
		if (opened[i] < 0 || !follow(&logs[i], s->workers[i], until_ns))
			fprintf(stderr, "skynet stacks: more may come to the log: skynet log --since 1m %s\n",
				s->e.asked[i].name);
	}
}

static int complain(struct stacks *s, const char *text, bool named)
{
	size_t matched = 0;
	unsigned workers = 0;
	int code = 0;

	for (size_t i = 0; i < s->e.count; i++) {
		const struct sn_asked *a = &s->e.asked[i];

		matched += a->matched;
		workers += s->workers[i];
		if (!named || a->failed == 0)
			continue;
		sn_cli_failed(&s->cli, a->failed, "%s: %s", a->name, a->why);
		code = a->failed;
	}
	if (named && workers == 0 && code == 0) {
		code = SN_EXIT_NOT_RUNNING;
		sn_cli_failed(&s->cli, code, "%s: no worker of it runs now (skynet query %s)", text, text);
	}
	if (named || matched > 0)
		return code;
	if (sn_enquiry_open_items(&s->e, NULL) == 0)
		return sn_enquiry_nothing(&s->e, text, true);
	sn_cli_failed(&s->cli, SN_EXIT_UNKNOWN, "%s: no worker works on it now (skynet query %s)", text,
		      text);
	return SN_EXIT_UNKNOWN;
}

static int run(struct stacks *s, const char *text, int64_t timeout_ns)
{
	const bool named = sn_enquiry_is_name(&s->cli, text);
	struct sn_logfile *logs;
	int *opened, code;

	sn_enquiry_init(&s->e, &s->cli, named ? NULL : text, named ? text : NULL);
	logs = sn_calloc(s->e.count + 1, sizeof *logs);
	opened = sn_calloc(s->e.count + 1, sizeof *opened);
	s->workers = sn_calloc(s->e.count + 1, sizeof *s->workers);
	for (size_t i = 0; i < s->e.count; i++)
		opened[i] = timeout_ns > 0 ? open_log(s, s->e.asked[i].name, &logs[i]) : -ENOENT;
	sn_enquiry_ask(&s->e, "stacks", "", sn_clock_mono_ns() + 2 * SN_CONTROL_ALIVE_MS * 1000000LL, show,
		       s);
	show_logs(s, logs, opened, sn_clock_mono_ns() + timeout_ns);
	code = complain(s, text, named);
	for (size_t i = 0; i < s->e.count; i++) {
		if (opened[i] == 0)
			sn_logfile_close(&logs[i]);
	}
	free(logs);
	free(opened);
	free(s->workers);
	sn_enquiry_release(&s->e);
	return code;
}

int main(int argc, char **argv)
{
	struct stacks s = {.cli = {.command = &COMMAND}};
	int64_t timeout_ns = 3000000000;
	int code, flushed;

	while (sn_cli_next(&s.cli, argc, argv) != -1) {
		if (sn_command_duration(optarg, &timeout_ns) < 0)
			sn_cli_usage(&s.cli, "--timeout %s: no number of seconds", optarg);
	}
	if (argc - optind != 1)
		sn_cli_usage(&s.cli, "the NAME of a participant or a WFID is needed");
	sn_cli_home(&s.cli);
	code = run(&s, argv[optind], timeout_ns);
	sn_home_release(&s.cli.home);
	flushed = sn_command_flush(&COMMAND);
	return code != 0 ? code : flushed;
}
