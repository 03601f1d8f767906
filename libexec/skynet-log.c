/* Shows what services logged, several merged by time, across svlogd's rotation. */
#include <fcntl.h>
#include <regex.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "svc/cli.h"
#include "svc/logfile.h"
#include "svc/pretty.h"
#include "svc/service.h"
#include "sys/dir.h"

enum { OPT_WFID = SN_OPT_FIRST, OPT_SINCE, OPT_GREP, OPT_ALL, OPT_JSON, LINES_MAX = 1000000, POLL_MS = 100 };

static const struct sn_option OPTIONS[] = {
	{'f', "follow", NULL, "go on showing what is logged"},
	{'n', "lines", "N", "only the last N (default: all; with -f 10)"},
	{'o', "once", NULL, "only what is there (as without -f, which it undoes)"},
	{OPT_WFID, "wfid", "WFID", "only lines of this process"},
	{OPT_SINCE, "since", "T", "not before T: 10m, 2h, 3d ago; 2026-11-22[T10:54[:43]] UTC"},
	{OPT_GREP, "grep", "RE", "only lines that match the extended regular expression"},
	{OPT_ALL, "all", NULL, "all services (also when none is named)"},
	{OPT_JSON, "json", NULL, "one JSON object a line: time, name, text"},
	{0},
};
static const struct sn_command COMMAND = {
	"skynet log", "[-f] [-n N] [-o] [--wfid W] [--since T] [--grep RE] [NAME…|--all]",
	"Shows logs of participants and of amqp-spool, merged by time (UTC).", OPTIONS};

struct source {
	const char *name;
	struct sn_logfile log;
	bool have, at_end; /* at_end: until the next round */
};

struct show {
	bool follow, json, regex_set;
	const char *wfid;
	char since[SN_LOGFILE_TIME + 1];
	int64_t since_s;
	regex_t regex;
	long lines; /* -1: all */
	struct source *sources;
	size_t count;
	char **ring; /* the last `lines` lines */
	size_t ring_at;
};

static bool has_wfid(const struct source *s, const char *wfid)
{
	size_t len = strlen(wfid);
	const char *text = s->log.text;

	if (strcmp(s->name, SN_BRIDGE_NAME) == 0)
		return strstr(text, wfid) != NULL;
	return text[0] == '[' && strncmp(text + 1, wfid, len) == 0 &&
	       (text[len + 1] == ' ' || text[len + 1] == ']');
}

static bool is_wanted(const struct show *show, const struct source *s)
{
	if (strcmp(s->log.time, show->since) < 0)
		return false;
	if (show->wfid != NULL && !has_wfid(s, show->wfid))
		return false;
	return !show->regex_set || regexec(&show->regex, s->log.text, 0, NULL, 0) == 0;
}

static char *format_json(const struct source *s)
{
	struct sn_buf b = SN_BUF(SIZE_MAX / 4);
	char *time = sn_asprintf("%sZ", s->log.time);
	int r;

	if (strlen(time) > 10)
		time[10] = 'T';
	r = sn_buf_addf(&b, "{\"time\":\"%s\",\"name\":\"%s\",\"text\":", time, s->name);
	if (r == 0)
		r = sn_buf_add_json(&b, s->log.text, strlen(s->log.text));
	if (r == 0)
		r = sn_buf_adds(&b, "}");
	free(time);
	return r == 0 ? b.data : sn_strdup("{}"); /* no ceiling is near */
}

/* exo escapes what a terminal would obey; but exo is the participant's. */
static char *escaped(char *owned)
{
	struct sn_buf b = SN_BUF(SIZE_MAX / 4);
	int r = sn_pretty_line(owned, strlen(owned), &b);

	if (r < 0)
		return owned; /* no ceiling is near */
	free(owned);
	return b.data;
}

static char *format(const struct show *show, const struct source *s)
{
	if (show->json)
		return format_json(s);
	if (show->count == 1)
		return escaped(sn_asprintf("%s %s", s->log.time, s->log.text));
	return escaped(sn_asprintf("%s %s: %s", s->log.time, s->name, s->log.text));
}

static void emit(struct show *show, const struct source *s)
{
	char *line = format(show, s);

	if (show->ring == NULL) {
		puts(line);
		free(line);
		return;
	}
	free(show->ring[show->ring_at]);
	show->ring[show->ring_at] = line;
	show->ring_at = (show->ring_at + 1) % (size_t)show->lines;
}

/* Prints what the ring has and gives it up: from now on lines go out at once. */
static void flush_ring(struct show *show)
{
	for (size_t i = 0; show->ring != NULL && i < (size_t)show->lines; i++) {
		char *line = show->ring[(show->ring_at + i) % (size_t)show->lines];

		if (line != NULL)
			puts(line);
		free(line);
	}
	free(show->ring);
	show->ring = NULL;
}

/* The source whose next line is the oldest, NULL: there is no line now. */
static struct source *oldest(struct show *show)
{
	struct source *best = NULL;

	for (size_t i = 0; i < show->count; i++) {
		struct source *s = &show->sources[i];

		if (!s->have && !s->at_end) {
			s->have = sn_logfile_next(&s->log) > 0;
			s->at_end = !s->have;
		}
		if (s->have && (best == NULL || strcmp(s->log.time, best->log.time) < 0))
			best = s;
	}
	return best;
}

static void drain(struct show *show, bool print)
{
	struct source *s;

	for (size_t i = 0; i < show->count; i++)
		show->sources[i].at_end = false;
	while ((s = oldest(show)) != NULL) {
		if (print && is_wanted(show, s))
			emit(show, s);
		s->have = false;
	}
}

static int show_all(struct show *show)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};

	if (show->lines > 0)
		show->ring = sn_calloc((size_t)show->lines, sizeof(char *));
	drain(show, show->lines != 0);
	flush_ring(show);
	while (show->follow) {
		int code = sn_command_flush(&COMMAND);

		if (code != 0)
			return code;
		(void)nanosleep(&pause, NULL); /* a signal only makes us look earlier */
		drain(show, true);
	}
	return sn_command_flush(&COMMAND);
}

static int add_source(struct show *show, const struct sn_home *h, const char *name)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/%s", h->log, name);
	struct source s = {.name = name};
	int r = sn_leaf_valid(name) ? sn_logfile_open(&s.log, path, show->since_s) : -ENOENT;

	if (r == -ENOENT && sn_service_exists(h, name))
		return sn_command_fail(&COMMAND, 0, "%s: nothing was logged yet", name);
	if (r == -ENOENT)
		return sn_command_fail(&COMMAND, SN_EXIT_UNKNOWN, "%s: no such participant", name);
	if (r < 0)
		return sn_command_fail(&COMMAND, r == -EACCES ? SN_EXIT_PERMISSION : SN_EXIT_FAILED, "%s: %s",
				       path, strerror(-r));
	show->sources = sn_realloc(show->sources, (show->count + 1) * sizeof s);
	show->sources[show->count++] = s;
	return 0;
}

struct names {
	char **list;
	size_t count;
	int dir;
};

static int add_dir(void *arg, const char *name)
{
	struct names *n = arg;
	struct stat st;

	if (name[0] == '.' || fstatat(n->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	n->list = sn_realloc(n->list, (n->count + 2) * sizeof *n->list);
	n->list[n->count++] = sn_strdup(name);
	n->list[n->count] = NULL;
	return 0;
}

/* Every directory below log/: also of participants that are not installed any more. */
static char **all_names(const struct sn_home *h)
{
	struct names n = {.list = sn_calloc(1, sizeof(char *)), .dir = sn_dir_open(AT_FDCWD, h->log)};

	if (n.dir >= 0 && sn_dir_each(n.dir, add_dir, &n) < 0)
		fprintf(stderr, "%s: %s could not be listed\n", COMMAND.name, h->log);
	if (n.dir >= 0)
		(void)close(n.dir); /* read only */
	return n.list;
}

static int run(struct show *show, const char *home, char *const *names, bool all)
{
	struct sn_home h;
	char **every = NULL;
	int code = sn_command_home(&COMMAND, home, &h);

	if (code != 0)
		return code;
	if (all || names[0] == NULL)
		names = every = all_names(&h);
	for (; *names != NULL; names++) { /* one that is missing hides no other */
		int r = add_source(show, &h, *names);

		code = r != 0 ? r : code;
	}
	if (show->count > 0) {
		int r = show_all(show);

		code = r != 0 ? r : code;
	}
	for (size_t i = 0; i < show->count; i++)
		sn_logfile_close(&show->sources[i].log);
	free(show->sources);
	sn_home_files_free(every);
	sn_home_release(&h);
	return code;
}

static int parse_since(struct show *show, const char *text)
{
	static const char *const FORMATS[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d_%H:%M:%S",
					      "%Y-%m-%dT%H:%M",	   "%Y-%m-%d %H:%M",	"%Y-%m-%d"};
	int64_t ns;
	time_t t = -1;
	struct tm tm;

	if (sn_command_duration(text, &ns) == 0)
		t = (time_t)((sn_clock_real_us() * 1000 - ns) / 1000000000);
	for (size_t i = 0; t == -1 && i < SN_COUNT(FORMATS); i++) {
		const char *rest;

		memset(&tm, 0, sizeof tm);
		rest = strptime(text, FORMATS[i], &tm);
		if (rest != NULL && rest[strspn(rest, ".0123456789Z")] == '\0')
			t = timegm(&tm);
	}
	if (t < 0)
		return sn_command_usage(&COMMAND, "--since %s: neither 10m, 2h, 3d nor 2026-11-22T10:54",
					text);
	show->since_s = t;
	(void)gmtime_r(&t, &tm); /* fails only past the year 2^31 */
	if (strftime(show->since, sizeof show->since, "%Y-%m-%d_%H:%M:%S", &tm) == 0)
		return SN_EXIT_USAGE;
	return 0;
}

static int set_option(struct show *show, int opt, const char *arg)
{
	char *end = NULL;

	switch (opt) {
	case 'n':
		show->lines = strtol(arg, &end, 10);
		if (end == arg || *end != '\0' || show->lines < 0 || show->lines > LINES_MAX)
			return sn_command_usage(&COMMAND, "-n %s: no number up to %d", arg, LINES_MAX);
		return 0;
	case OPT_WFID:
		show->wfid = arg;
		return 0;
	case OPT_SINCE:
		return parse_since(show, arg);
	case OPT_GREP:
		if (regcomp(&show->regex, arg, REG_EXTENDED | REG_NOSUB) != 0)
			return sn_command_usage(&COMMAND, "--grep %s: no regular expression", arg);
		show->regex_set = true;
		return 0;
	case OPT_JSON:
		show->json = true;
		return 0;
	case 'f':
		show->follow = true;
		return 0;
	default: /* -o, -f: the last one counts */
		show->follow = false;
		return 0;
	}
}

int main(int argc, char **argv)
{
	struct show show = {.lines = -2};
	struct sn_cli cli = {.command = &COMMAND};
	bool all = false;
	int opt, code = 0;

	while (code == 0 && (opt = sn_cli_next(&cli, argc, argv)) != -1) {
		if (opt == OPT_ALL)
			all = true;
		else
			code = set_option(&show, opt, optarg);
	}
	if (show.lines == -2)
		show.lines = show.follow ? 10 : -1;
	if (code == 0)
		code = run(&show, cli.home_option, argv + optind, all);
	if (show.regex_set)
		regfree(&show.regex);
	return code;
}
