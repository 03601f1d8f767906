#include "svc/command.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>

#include "svc/control.h"

enum { OPTIONS_MAX = 32 };

static const struct sn_option COMMON[] = {
	{SN_OPT_HOME, "home", "DIR", "the home (default: SKYNET_HOME, else the system's)"},
	{'h', "help", NULL, "this text"},
	{0},
};

static void print_option(const struct sn_option *o)
{
	char left[64];

	if (o->letter < SN_OPT_HOME)
		(void)snprintf(left, sizeof left, "-%c, --%s %s", o->letter, o->name,
			       o->arg == NULL ? "" : o->arg);
	else
		(void)snprintf(left, sizeof left, "    --%s %s", o->name, o->arg == NULL ? "" : o->arg);
	printf("  %-24s %s\n", left, o->help);
}

static void print_help(const struct sn_command *c)
{
	printf("usage: %s %s\n\n%s\n\n", c->name, c->synopsis, c->about);
	for (const struct sn_option *o = c->options; o->name != NULL; o++)
		print_option(o);
	for (const struct sn_option *o = COMMON; o->name != NULL; o++)
		print_option(o);
}

/* "[=SECONDS]" is an argument that may be missing. */
static int has_arg(const struct sn_option *o)
{
	if (o->arg == NULL)
		return no_argument;
	return o->arg[0] == '[' ? optional_argument : required_argument;
}

static void add_options(const struct sn_option *from, struct option *to, size_t *count, char *letters)
{
	size_t n = strlen(letters);

	for (; from->name != NULL && *count < OPTIONS_MAX; from++) {
		to[(*count)++] =
			(struct option){.name = from->name, .has_arg = has_arg(from), .val = from->letter};
		if (from->letter >= SN_OPT_HOME)
			continue;
		letters[n++] = (char)from->letter;
		if (from->arg != NULL)
			letters[n++] = ':';
	}
	letters[n] = '\0';
}

static bool in_table(const struct sn_option *o, int letter)
{
	for (; o->name != NULL; o++) {
		if (o->letter == letter)
			return true;
	}
	return false;
}

/* What is wrong, in the words of the commands that are sh: getopt's own would name the path of the program. `last` is
 * the argument that was looked at last (of letters in a row the one before). */
static int wrong_option(const struct sn_command *c, bool no_value, const char *last)
{
	if (no_value)
		return sn_command_usage(c, "%s: a value is needed", last);
	if (optopt == 0)
		return sn_command_usage(c, "%s: no such option", last);
	if (in_table(c->options, optopt) || in_table(COMMON, optopt))
		return sn_command_usage(c, "%s: it takes no value", last);
	return sn_command_usage(c, "-%c: no such option", optopt);
}

int sn_command_next(const struct sn_command *c, int argc, char *const *argv)
{
	struct option options[OPTIONS_MAX + 1] = {0};
	char letters[2 * OPTIONS_MAX + 2] = ":"; /* a value that is missing is told from an unknown option */
	size_t count = 0;
	int opt;

	add_options(c->options, options, &count, letters);
	add_options(COMMON, options, &count, letters);
	opterr = 0;
	opt = getopt_long(argc, argv, letters, options, NULL);
	if (opt == 'h') {
		print_help(c);
		return SN_OPT_HELP;
	}
	if (opt != '?' && opt != ':')
		return opt;
	(void)wrong_option(c, opt == ':', argv[optind - 1]); /* the code is the caller's to return */
	return SN_OPT_WRONG;
}

int sn_command_usage(const struct sn_command *c, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", c->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nTry: %s --help\n", c->name);
	return SN_EXIT_USAGE;
}

int sn_command_fail(const struct sn_command *c, int code, const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", c->name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return code;
}

int sn_command_home(const struct sn_command *c, const char *option, struct sn_home *ret)
{
	const char *name = option != NULL ? option : getenv("SKYNET_HOME");
	int r;

	if (option != NULL && option[0] == '\0') /* a variable that is not set, not the system's home */
		return sn_command_usage(c, "--home needs a directory");
	r = sn_home_init(ret, option);
	if (r < 0)
		return sn_command_fail(c, SN_EXIT_CONFIG, "home %s: %s", name, strerror(-r));
	return 0;
}

int sn_command_flush(const struct sn_command *c)
{
	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return 0;
	if (errno == EPIPE) /* `| head` has seen enough */
		return SN_EXIT_FAILED;
	return sn_command_fail(c, SN_EXIT_FAILED, "cannot write: %s", strerror(errno));
}

void sn_command_complain(void *arg, bool error, const char *file, unsigned line, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s:%u: %s%s\n", file, line, error ? "" : "warning: ", text);
}

int sn_command_duration(const char *text, int64_t *ret_ns)
{
	static const struct {
		char unit;
		int seconds;
	} UNITS[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	char *end;
	double n;
	int factor = 1;

	if ((text[0] < '0' || text[0] > '9') && text[0] != '.')
		return -EINVAL;
	n = strtod(text, &end);
	for (size_t i = 0; i < SN_COUNT(UNITS) && *end != '\0'; i++) {
		if (*end == UNITS[i].unit) {
			factor = UNITS[i].seconds;
			end++;
			break;
		}
	}
	if (*end != '\0' || !(n >= 0 && n * factor <= 1e9))
		return -EINVAL;
	*ret_ns = (int64_t)(n * factor * 1e9);
	return 0;
}

void sn_command_json(const char *text)
{
	struct sn_buf b = SN_BUF(8 * SN_CONFIG_LINE_MAX);

	if (sn_buf_add_json(&b, text, strlen(text)) == 0)
		sn_control_print_json((struct sn_span){.data = b.data, .len = b.len});
	else
		fputs("null", stdout);
	sn_buf_release(&b);
}

void sn_command_json_member(const char *key, const char *text)
{
	printf(",\"%s\":", key);
	if (text == NULL)
		fputs("null", stdout);
	else
		sn_command_json(text);
}

void sn_command_json_row(bool first, const char *name)
{
	fputs(first ? "{\"name\":" : ",\n {\"name\":", stdout);
	sn_command_json(name);
}
