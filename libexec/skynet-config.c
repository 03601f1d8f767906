/* Prints the configuration as our programs read it: all values, one value, a commented file of defaults, or complaints. */
#include <stdlib.h>

#include "svc/command.h"
#include "svc/secret.h"

enum { OPT_CHECK = SN_OPT_FIRST, OPT_CHECK_FILE, OPT_TEMPLATE, OPT_JSON };

static const struct sn_option OPTIONS[] = {
	{'p', "participant", "NAME", "of this participant, not of the host alone"},
	{OPT_CHECK, "check", NULL, "report all that is wrong in the files, print nothing else"},
	{OPT_CHECK_FILE, "check-file", "FILE", "the same for one file alone"},
	{OPT_TEMPLATE, "template", NULL, "a file of all defaults, commented; SECTION.KEY=VALUE sets one"},
	{OPT_JSON, "json", NULL, "as a JSON object; one value as a JSON string"},
	{0},
};
static const struct sn_command COMMAND = {
	"skynet config",
	"[-p NAME] [--json] [SECTION.KEY | home.WHAT]\n       skynet config --check [-p NAME]",
	"Shows the configuration, merged from all its files. WHAT: root, etc, sv, service, spool, lib, log, run, system.",
	OPTIONS};

struct call {
	const char *home, *participant, *check_file;
	bool check, template, json;
};

/* "boss.amqp_host" and what follows: the bytes of a "section.key" at the start of arg. */
static bool names_key(const char *arg, const struct sn_config_key *k, size_t *ret_len)
{
	size_t section = strlen(k->section), name = strlen(k->name);

	if (strncmp(arg, k->section, section) != 0 || arg[section] != '.' ||
	    strncmp(arg + section + 1, k->name, name) != 0)
		return false;
	*ret_len = section + 1 + name;
	return true;
}

static const char *given(const struct sn_config_key *k, char *const *settings)
{
	size_t len;

	for (; *settings != NULL; settings++) {
		if (names_key(*settings, k, &len) && (*settings)[len] == '=')
			return *settings + len + 1;
	}
	return NULL;
}

static int print_template(char *const *settings)
{
	size_t count;
	const struct sn_config_key *k = sn_config_keys(&count);
	const char *section = "";

	for (; count > 0; k++, count--) {
		const char *value = given(k, settings);

		if (strcmp(section, k->section) != 0)
			printf("%s[%s]\n", section[0] == '\0' ? "" : "\n", k->section);
		section = k->section;
		printf("# %s\n%s%s = %s\n", k->help, value == NULL ? "#" : "", k->name,
		       value == NULL ? k->fallback : value);
	}
	return sn_command_flush(&COMMAND);
}

static int check_file(const char *path)
{
	struct sn_config c;
	struct sn_config_reader rd = {.complain = sn_command_complain};
	int r;

	sn_config_init(&c);
	r = sn_config_read_file(&c, path, &rd);
	sn_config_release(&c);
	if (r < 0 && r != -EINVAL)
		return sn_command_fail(&COMMAND, SN_EXIT_CONFIG, "%s: %s", path, strerror(-r));
	return r < 0 ? SN_EXIT_CONFIG : 0;
}

static const char *home_value(const struct sn_home *h, const char *what)
{
	const struct {
		const char *name, *value;
	} VALUES[] = {{"root", h->root},       {"etc", h->etc},	    {"sv", h->sv},
		      {"service", h->service}, {"spool", h->spool}, {"lib", h->lib},
		      {"log", h->log},	       {"run", h->run},	    {"system", h->system ? "yes" : "no"}};

	for (size_t i = 0; i < SN_COUNT(VALUES); i++) {
		if (strcmp(VALUES[i].name, what) == 0)
			return VALUES[i].value;
	}
	return NULL;
}

static bool is_secret(const struct sn_config_key *k)
{
	return strcmp(k->name, "amqp_pwd") == 0;
}

static void print_all(const struct sn_config *c, bool json)
{
	size_t count;
	const struct sn_config_key *k = sn_config_keys(&count);
	const char *section = "";

	if (json)
		putchar('{');
	for (; count > 0; k++, count--) {
		const char *value = sn_config_get(c, k->section, k->name);

		if (is_secret(k) && value[0] != '\0')
			value = "***";
		if (!json) {
			printf("%s.%s=%s\n", k->section, k->name, value);
			continue;
		}
		if (strcmp(section, k->section) != 0)
			printf("%s\"%s\":{\"%s\":", section[0] == '\0' ? "" : "},", k->section, k->name);
		else
			printf(",\"%s\":", k->name);
		section = k->section;
		sn_command_json(value);
	}
	if (json)
		puts("}}");
}

static void print_value(const char *value, bool json)
{
	if (json)
		sn_command_json(value);
	else
		fputs(value, stdout);
	putchar('\n');
}

static int print_one(const struct sn_config *c, const char *key, bool json)
{
	size_t count, len;
	const struct sn_config_key *k = sn_config_keys(&count);

	for (; count > 0; k++, count--) {
		if (names_key(key, k, &len) && key[len] == '\0')
			break;
	}
	if (count == 0)
		return sn_command_usage(&COMMAND, "%s: no such key", key);
	print_value(sn_config_get(c, k->section, k->name), json);
	return 0;
}

/* Exit code. */
static int check_secret(const struct sn_home *h, const struct sn_config *c)
{
	char text[SN_SECRET_TEXT_SIZE];
	int r = sn_secret_check(h, c, text);

	if (r != 0)
		fprintf(stderr, "%s: %s: %s\n", COMMAND.name, r < 0 ? "error" : "warning", text);
	return r < 0 ? SN_EXIT_CONFIG : 0;
}

static int print_config(const struct sn_home *h, const struct call *call, const char *key)
{
	struct sn_config c;
	struct sn_config_reader rd = {.complain = sn_command_complain};
	int r = sn_home_config(h, call->participant, &rd, &c), code = 0;

	if (r == -ENOENT)
		code = sn_command_fail(&COMMAND, SN_EXIT_UNKNOWN, "%s: no such participant",
				       call->participant);
	else if (r < 0)
		code = SN_EXIT_CONFIG;
	else if (key != NULL)
		code = print_one(&c, key, call->json);
	else if (call->check)
		code = check_secret(h, &c);
	else
		print_all(&c, call->json);
	sn_config_release(&c);
	return code;
}

static int run(const struct call *call, char *const *args)
{
	struct sn_home h;
	const char *value;
	int code;

	if (call->template)
		return print_template(args);
	if (call->check_file != NULL)
		return check_file(call->check_file);
	if (args[0] != NULL && args[1] != NULL)
		return sn_command_usage(&COMMAND, "one key at a time");
	code = sn_command_home(&COMMAND, call->home, &h);
	if (code != 0)
		return code;
	if (args[0] != NULL && strncmp(args[0], "home.", 5) == 0) {
		value = home_value(&h, args[0] + 5);
		code = value == NULL ? sn_command_usage(&COMMAND, "%s: no such directory", args[0]) : 0;
		if (value != NULL)
			print_value(value, call->json);
	} else {
		code = print_config(&h, call, args[0]);
	}
	sn_home_release(&h);
	return code != 0 ? code : sn_command_flush(&COMMAND);
}

int main(int argc, char **argv)
{
	struct call call = {0};
	int opt;

	while ((opt = sn_command_next(&COMMAND, argc, argv)) != -1) {
		switch (opt) {
		case 'p':
			call.participant = optarg;
			break;
		case OPT_CHECK:
			call.check = true;
			break;
		case OPT_CHECK_FILE:
			call.check_file = optarg;
			break;
		case OPT_TEMPLATE:
			call.template = true;
			break;
		case OPT_JSON:
			call.json = true;
			break;
		case SN_OPT_HOME:
			call.home = optarg;
			break;
		case SN_OPT_HELP:
			return 0;
		default:
			return SN_EXIT_USAGE;
		}
	}
	return run(&call, argv + optind);
}
