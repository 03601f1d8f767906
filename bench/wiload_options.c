/* wiload_options.c - the command line of wiload: one table for getopt and --help. */
#include "wiload.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_PRINT = 256, MAX_COUNT = 999999999 /* WORKITEM_SEQ_DIGITS digits */ };

static const struct option_row {
	int id;
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *help;
} OPTIONS[] = {
	{'m', "mode", "MODE", "flood (default): all outstanding at once; closed: one at a time, for latency"},
	{'n', "count", "N", "workitems to publish (default 20000; closed: 2000)"},
	{'s', "size", "BYTES", "size of a workitem, at least 768 (default 1024)"},
	{'w', "window", "W", "at most W workitems published but not answered (default: flood N, closed 1)"},
	{'c', "confirm-window", "C", "at most C publishings unconfirmed (default 500)"},
	{'r', "reply-queue", "Q", "where replies arrive (default ruote_workitems)"},
	{'t', "timeout", "S", "give up when nothing happened for S s (default 30)"},
	{'l', "linger", "S", "after the last reply, wait S s for duplicates (default 0.5)"},
	{'R', "check-result", NULL, "fail unless every reply has fields.__result__ true"},
	{'H', "host", "HOST[:PORT]", "broker (default 127.0.0.1:5672)"},
	{'v', "vhost", "VHOST", "(default bench)"},
	{'u', "user", "USER", "(default boss)"},
	{'p', "password", "PWD", "(default boss)"},
	{'j', "json", NULL, "report as one line of JSON"},
	{'q', "quiet", NULL, "no progress line on stderr"},
	{OPT_PRINT, "print", NULL, "only write one workitem to stdout, for test data"},
	{'h', "help", NULL, "this text"},
};

enum { N_OPTIONS = sizeof OPTIONS / sizeof *OPTIONS };

_Static_assert(WORKITEM_MIN_SIZE == 768, "the help text of --size says so");

static const char INTRODUCTION[] =
	"Usage: wiload [options] QUEUE\n"
	"Publishes workitems to the participant on QUEUE, consumes the replies and\n"
	"checks that each workitem is answered exactly once.\n\n";

static const char NOTES[] =
	"\nUse it with a vhost of its own: every message on the reply queue is taken off\n"
	"it (no-ack), also replies that belong to others, which are counted as foreign.\n"
	"The queues are declared durable, as SkyNET does.\n"
	"In mode flood, start wiload before the participant to measure a pure drain\n"
	"(the rate from first to last reply); latency then includes the queueing.\n\n"
	"Exit status: 0 each answered exactly once; 1 usage; 2 AMQP or system error;\n"
	"3 a workitem was lost, duplicated, damaged, refused or failed.\n";

void options_usage(void)
{
	fputs(INTRODUCTION, stdout);
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option_row *o = &OPTIONS[i];
		char forms[40];
		(void)snprintf(forms, sizeof forms, "--%s %s", o->name,
			       o->argument != NULL ? o->argument : "");
		printf(o->id < 256 ? "  -%c, " : "      ", o->id);
		printf("%-23s %s\n", forms, o->help);
	}
	fputs(NOTES, stdout);
}

static bool parse_size(const char *arg, size_t min, size_t max, size_t *ret)
{
	char *end;
	errno = 0;
	unsigned long long v = strtoull(arg, &end, 10);
	if (errno != 0 || end == arg || *end != '\0' || *arg == '-' || v < min || v > max)
		return false;
	*ret = (size_t)v;
	return true;
}

static bool parse_seconds(const char *arg, double *ret)
{
	char *end;
	double v = strtod(arg, &end);
	if (end == arg || *end != '\0' || !(v >= 0 && v <= 86400))
		return false;
	*ret = v;
	return true;
}

static bool parse_mode(const char *arg, bool *ret_closed)
{
	*ret_closed = strcmp(arg, "closed") == 0;
	return *ret_closed || strcmp(arg, "flood") == 0;
}

/* The options with a value that can be wrong. */
static bool set_checked(struct options *opt, int id, char *arg)
{
	switch (id) {
	case 'm':
		return parse_mode(arg, &opt->closed);
	case 'n':
		return parse_size(arg, 1, MAX_COUNT, &opt->count);
	case 's':
		return parse_size(arg, WORKITEM_MIN_SIZE, 64u << 20, &opt->size_bytes);
	case 'w':
		return parse_size(arg, 1, MAX_COUNT, &opt->window);
	case 'c':
		return parse_size(arg, 1, 1000000, &opt->confirm_window);
	case 't':
		return parse_seconds(arg, &opt->idle_timeout_s);
	case 'l':
		return parse_seconds(arg, &opt->linger_s);
	case 'H':
		return broker_parse_host(&opt->broker, arg);
	default:
		return false;
	}
}

/* The others; false: it is none of them. */
static bool set_plain(struct options *opt, int id, const char *arg)
{
	const struct {
		int id;
		const char **text;
		bool *flag;
	} targets[] = {
		{'r', &opt->reply_queue, NULL},	 {'v', &opt->broker.vhost, NULL},
		{'u', &opt->broker.user, NULL},	 {'p', &opt->broker.password, NULL},
		{'R', NULL, &opt->check_result}, {'j', NULL, &opt->json},
		{'q', NULL, &opt->quiet},	 {OPT_PRINT, NULL, &opt->print},
		{'h', NULL, &opt->help},
	};

	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		if (targets[i].id != id)
			continue;
		if (targets[i].text != NULL)
			*targets[i].text = arg;
		else
			*targets[i].flag = true;
		return true;
	}
	return false;
}

/* getopt's two forms of the table. `shorts` has room for two bytes per row, and a NUL. */
static void getopt_tables(struct option *longs, char *shorts)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		const struct option_row *o = &OPTIONS[i];
		longs[i] = (struct option){.name = o->name, .has_arg = o->argument != NULL, .val = o->id};
		if (o->id < 256) {
			*shorts++ = (char)o->id;
			if (o->argument != NULL)
				*shorts++ = ':';
		}
	}
	longs[N_OPTIONS] = (struct option){.name = NULL};
	*shorts = '\0';
}

/* The queue's name, and the defaults that depend on other options. */
static bool complete(int argc, char **argv, struct options *opt)
{
	if (optind != argc - 1) {
		fprintf(stderr, "wiload: exactly one QUEUE is needed\n");
		return false;
	}
	opt->queue = argv[optind];
	if (strcmp(opt->queue, opt->reply_queue) == 0) {
		fprintf(stderr, "wiload: QUEUE and the reply queue are the same\n");
		return false;
	}
	if (opt->count == 0)
		opt->count = opt->closed ? 2000 : 20000;
	if (opt->window == 0)
		opt->window = opt->closed ? 1 : opt->count;
	return true;
}

bool options_parse(int argc, char **argv, struct options *ret_opt)
{
	struct option longs[N_OPTIONS + 1];
	char shorts[2 * N_OPTIONS + 1];
	int id;

	*ret_opt = (struct options){
		.broker = BROKER_DEFAULTS,
		.reply_queue = "ruote_workitems",
		.size_bytes = 1024,
		.confirm_window = 500,
		.idle_timeout_s = 30,
		.linger_s = 0.5,
	};
	getopt_tables(longs, shorts);
	while ((id = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (id == '?')
			return false; /* getopt_long has reported it */
		if (set_plain(ret_opt, id, optarg) || set_checked(ret_opt, id, optarg))
			continue;
		fprintf(stderr, "wiload: bad value '%s' for -%c\n", optarg, id);
		return false;
	}
	return ret_opt->help || complete(argc, argv, ret_opt);
}
