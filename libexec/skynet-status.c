/* One line for the bridge and each participant: what it is, what it should be, and how much waits. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "svc/cli.h"
#include "svc/control.h"
#include "svc/service.h"
#include "sys/dir.h"

enum { OPT_NO_HEADER = SN_OPT_FIRST, OPT_JSON };
enum { BRIDGE_ALIVE_S = 90 }; /* three times that it would have touched its state file */

static const struct sn_option OPTIONS[] = {
	{OPT_JSON, "json", NULL, "as a JSON array"},
	{OPT_NO_HEADER, "no-header", NULL, "leave the first line out"},
	{0},
};
static const struct sn_command COMMAND = {
	"skynet status", "[--json] [--no-header] [NAME…]",
	"Shows the bridge (amqp-spool) and all participants, or those named.\n\n"
	"STATE   starting, ready, backoff, stopping, down, config-error, hung (its exo lives, but has not\n"
	"        answered within a second; the bridge: has shown no sign of life for 90 s); of the bridge:\n"
	"        connected, connecting, brokerless, blocked\n"
	"WANT    up, down, - (not enabled), ? (down, and only root may know more)\n"
	"UPTIME  of the process, or how long it has been in this state\n"
	"NEW CUR FAILED  workitems that wait, are in hand or answered, need a person (-: not permitted to look)\n\n"
	"Exit code: 0 all run; 3 one that should run, or was named, does not; 4 no such participant.",
	OPTIONS};

struct show {
	struct sn_cli cli;
	bool json, colour, named;
	unsigned shown, not_running;
};

struct counts { /* -1: not permitted, or no such thing */
	int waiting, working, held, failed;
};

struct json_count {
	int dir, count, depth;
};

/* Counts *.json two directories below failed/. */
static int count_json(void *arg, const char *name)
{
	struct json_count *c = arg;
	size_t len = strlen(name);
	struct json_count below = {.depth = c->depth + 1};

	if (c->depth == 2) {
		c->count += len > 5 && strcmp(name + len - 5, ".json") == 0;
		return 0;
	}
	below.dir = sn_dir_open(c->dir, name);
	if (below.dir < 0)
		return 0; /* no directory, or gone */
	if (sn_dir_each(below.dir, count_json, &below) == 0)
		c->count += below.count;
	(void)close(below.dir); /* read only */
	return 0;
}

static void count_open(int root, struct counts *n)
{
	SN_AUTOFD int open = sn_dir_open(root, "open");
	SN_AUTOFD int result = sn_dir_open(root, "work/result");
	const struct sn_shelf shelf = {.s = {.open = open, .result = result}};
	int counted[SN_ITEM_STATES];

	if (open < 0 || sn_items_count(&shelf, counted) < 0)
		return;
	n->waiting = counted[SN_ITEM_NEW];
	n->working = counted[SN_ITEM_CUR] + counted[SN_ITEM_RESULT];
	n->held = counted[SN_ITEM_HELD];
}

static struct counts count(const struct sn_home *h, const char *name)
{
	struct counts n = {-1, -1, -1, -1};
	struct json_count failed = {.dir = -1};
	SN_AUTOFREE char *path = sn_asprintf("%s/%s", h->spool, name);
	SN_AUTOFD int root = strcmp(name, SN_BRIDGE_NAME) == 0
				     ? -1
				     : open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (root < 0)
		return n;
	count_open(root, &n);
	failed.dir = sn_dir_open(root, "failed");
	if (failed.dir >= 0) {
		n.failed = sn_dir_each(failed.dir, count_json, &failed) == 0 ? failed.count : -1;
		(void)close(failed.dir); /* read only */
	}
	return n;
}

static const char *uptime_text(int64_t since_us, char text[32])
{
	int64_t s = since_us == 0 ? -1 : (sn_clock_real_us() - since_us) / 1000000;

	if (s < 0)
		(void)snprintf(text, 32, "-");
	else if (s < 60)
		(void)snprintf(text, 32, "%ds", (int)s);
	else if (s < 3600)
		(void)snprintf(text, 32, "%dm%02ds", (int)(s / 60), (int)(s % 60));
	else if (s < 86400)
		(void)snprintf(text, 32, "%dh%02dm", (int)(s / 3600), (int)(s / 60 % 60));
	else
		(void)snprintf(text, 32, "%lldd%02dh", (long long)(s / 86400), (int)(s / 3600 % 24));
	return text;
}

static const char *number_text(int n, char text[16])
{
	if (n < 0)
		return "-";
	(void)snprintf(text, 16, "%d", n); /* it fits */
	return text;
}

static bool wants_attention(const struct sn_service *s)
{
	return s->failed || (strcmp(s->want, "up") == 0 && !s->ready);
}

static bool is_well(const char *line, size_t len)
{
	return memmem(line, len, ": consuming", 11) != NULL || memmem(line, len, ": brokerless", 12) != NULL;
}

/* Further lines below a service's own: its reason, and of the bridge the broker and who is not consuming. */
static void print_details(const char *name, const struct sn_service *s)
{
	const char *line = s->status.extra;

	const bool bridge = strcmp(name, SN_BRIDGE_NAME) == 0; /* it says what is wrong also while it works */

	if (s->status.reason != NULL && (!s->ready || bridge) &&
	    (s->running || s->failed || strcmp(s->want, "up") == 0)) /* else it says why it ended once */
		printf("    %s\n", s->status.reason);
	if (s->status.reload != NULL && s->running)
		printf("    not reloaded: %s\n", s->status.reload);
	if (!bridge || !s->running)
		return;
	if (s->status.broker != NULL)
		printf("    broker %s\n", s->status.broker);
	while (line != NULL && line[0] != '\0') {
		size_t len = strcspn(line, "\n");

		if (strncmp(line, "participant.", 12) == 0 && !is_well(line, len))
			printf("    %.*s\n", (int)len - 12, line + 12);
		line += len + (line[len] == '\n' ? 1 : 0);
	}
}

static void print_line(const struct show *show, const char *name, const struct sn_service *s, struct counts n)
{
	char uptime[32], pid[16], restarts[16], texts[3][16];
	const char *on = "", *off = "";

	if (show->colour) {
		on = s->ready ? "\033[32m" : wants_attention(s) ? "\033[31m" : "\033[33m";
		off = "\033[0m";
	}
	printf("%-20s %s%-12s%s %-4s %7s %8s %8s %6s %5s %6s\n", name, on, s->state, off, s->want,
	       number_text(s->pid > 0 ? s->pid : -1, pid), uptime_text(s->since_us, uptime),
	       number_text((int)s->status.restarts, restarts), number_text(n.waiting, texts[0]),
	       number_text(n.working, texts[1]), number_text(n.failed, texts[2]));
	print_details(name, s);
	if (n.held > 0)
		printf("    %d held\n", n.held);
}

static void json_text(const char *key, const char *value)
{
	sn_command_json_member(key, value == NULL || value[0] == '\0' ? NULL : value);
}

static void json_number(const char *key, int n)
{
	if (n < 0)
		printf(",\"%s\":null", key);
	else
		printf(",\"%s\":%d", key, n);
}

static void print_json(const struct show *show, const char *name, const struct sn_service *s, struct counts n)
{
	char since[SN_TIME_TEXT_SIZE] = "";

	if (s->since_us > 0)
		sn_time_format(s->since_us, since);
	sn_command_json_row(show->shown == 0, name);
	json_text("state", s->state);
	json_text("want", s->want);
	printf(",\"ready\":%s", s->ready ? "true" : "false");
	json_number("pid", s->pid > 0 ? s->pid : -1);
	json_text("since", since);
	json_number("workers", (int)s->status.workers);
	json_number("restarts", (int)s->status.restarts);
	json_number("new", n.waiting);
	json_number("cur", n.working);
	json_number("held", n.held);
	json_number("failed", n.failed);
	json_text("reason", s->status.reason);
	json_text("reload", s->status.reload);
	json_text("broker", s->status.broker);
	putchar('}');
}

static void set_hung(struct sn_service *s)
{
	s->state = "hung";
	s->ready = false;
	s->failed = true;
}

/* The bridge has nobody to ask; it touches its state file every 30 s. */
static bool is_silent(const struct show *show)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/%s/status", show->cli.home.run, SN_BRIDGE_NAME);
	struct stat st;

	return stat(path, &st) == 0 && sn_clock_real_us() / 1000000 - st.st_mtime > BRIDGE_ALIVE_S;
}

/* Asks every exo that claims to run, all at once. The state file of one that is stopped or stuck looks as well as ever. One
 * without a socket is older than this, or starting. */
static void find_hung(const struct show *show, char *const *names, struct sn_service *services, size_t count)
{
	struct sn_control *list = sn_calloc(count + 1, sizeof *list);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], SN_BRIDGE_NAME) == 0 && services[i].running &&
		    strcmp(services[i].state, "starting") != 0 && is_silent(show))
			set_hung(&services[i]);
		if (!services[i].running || services[i].pid <= 0 || strcmp(names[i], SN_BRIDGE_NAME) == 0 ||
		    sn_control_open(&show->cli.home, names[i], "status wait=0", &list[i]) < 0)
			list[i] = (struct sn_control){.fd = -1, .path = -1, .end = SN_CONTROL_ENDED};
	}
	sn_control_run(list, count, sn_clock_mono_ns() + SN_CONTROL_ALIVE_MS * 1000000LL, NULL, NULL);
	for (size_t i = 0; i < count; i++) {
		if (list[i].end == SN_CONTROL_SILENT)
			set_hung(&services[i]);
		sn_control_close(&list[i]);
	}
	free(list);
}

static void show_one(struct show *show, const char *name, const struct sn_service *s)
{
	struct counts n = count(&show->cli.home, name);

	if (show->json)
		print_json(show, name, s, n);
	else
		print_line(show, name, s, n);
	show->shown++;
	/* finish takes down what has a wrong configuration: nobody wanted that */
	if (!s->ready && (show->named || s->failed || strcmp(s->want, "up") == 0))
		show->not_running++;
}

/* 0 or an exit code. */
static int show_names(struct show *show, char *const *names)
{
	struct sn_service *services;
	size_t count = 0;
	int code = 0;

	while (names[count] != NULL)
		count++;
	services = sn_calloc(count + 1, sizeof *services);
	for (size_t i = 0; i < count; i++) {
		if (sn_service_look(&show->cli.home, names[i], &services[i]) == -ENOENT)
			code = sn_command_fail(&COMMAND, SN_EXIT_UNKNOWN, "%s: no such participant",
					       names[i]);
	}
	find_hung(show, names, services, count);
	for (size_t i = 0; i < count; i++) {
		if (sn_service_exists(&show->cli.home, names[i]))
			show_one(show, names[i], &services[i]);
		sn_service_release(&services[i]);
	}
	free(services);
	return code;
}

static int show_all(struct show *show)
{
	char name[] = SN_BRIDGE_NAME, *const bridge[] = {name, NULL};
	char **names = sn_cli_participants(&show->cli);
	int code = 0, r;

	if (sn_service_exists(&show->cli.home, SN_BRIDGE_NAME))
		code = show_names(show, bridge);
	r = show_names(show, names);
	sn_home_files_free(names);
	return r != 0 ? r : code;
}

static int run(struct show *show, bool header, char *const *names)
{
	int code, flushed;

	show->named = names[0] != NULL;
	if (show->json)
		putchar('[');
	else if (header)
		printf("%-20s %-12s %-4s %7s %8s %8s %6s %5s %6s\n", "NAME", "STATE", "WANT", "PID", "UPTIME",
		       "RESTARTS", "NEW", "CUR", "FAILED");
	code = show->named ? show_names(show, names) : show_all(show);
	if (show->json)
		puts("]");
	else if (show->shown == 0 && !show->named) /* a wrong home looks the same */
		fprintf(stderr,
			"skynet status: the home %s has no services (--home DIR or SKYNET_HOME says another)\n",
			show->cli.home.root);
	flushed = sn_command_flush(&COMMAND);
	if (code == 0 && show->not_running > 0)
		code = SN_EXIT_NOT_RUNNING;
	return code != 0 ? code : flushed;
}

/* https://no-color.org: set and not empty. */
static bool no_color(void)
{
	const char *value = getenv("NO_COLOR");

	return value != NULL && value[0] != '\0';
}

int main(int argc, char **argv)
{
	struct show show = {.cli = {.command = &COMMAND},
			    .colour = isatty(STDOUT_FILENO) == 1 && !no_color()};
	bool header = true;
	int opt, code;

	while ((opt = sn_cli_next(&show.cli, argc, argv)) != -1) {
		show.json = show.json || opt == OPT_JSON;
		header = header && opt != OPT_NO_HEADER;
	}
	sn_cli_home(&show.cli);
	code = run(&show, header, argv + optind);
	sn_home_release(&show.cli.home);
	return code;
}
