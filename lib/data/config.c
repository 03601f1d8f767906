#include "data/config.h"

#include <stdlib.h>
#include <strings.h>

#include "base/mem.h"
#include "data/config_private.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): offsetof takes members, not expressions */
#define KEY(sec, field, name_, kind_, lo, hi, fallback_, help_)                                              \
	{                                                                                                    \
		.section = #sec, .name = (name_), .fallback = (fallback_), .help = (help_), .kind = (kind_), \
		.offset = offsetof(struct sn_config, sec.field), .min = (lo), .max = (hi)                    \
	}
/* NOLINTEND(bugprone-macro-parentheses) */

static const struct sn_config_key KEYS[] = {
	KEY(boss, host, "amqp_host", HOSTS, 0, 0, "none", "host[:port][, …], or none: brokerless"),
	KEY(boss, vhost, "amqp_vhost", TEXT, 0, 0, "boss", "the broker's virtual host"),
	KEY(boss, user, "amqp_user", TEXT, 0, 0, "boss", "user at the broker"),
	KEY(boss, password, "amqp_pwd", TEXT, 0, 0, "", "password; amqp_password_file is better"),
	KEY(boss, password_file, "amqp_password_file", TEXT, 0, 0, "",
	    "file with the password on its first line"),
	KEY(boss, tls, "amqp_tls", BOOL, 0, 1, "no", "TLS to the broker (default port 5671)"),
	KEY(boss, ca, "amqp_ca", TEXT, 0, 0, "", "file of CAs; unset: the system's"),
	KEY(boss, cert, "amqp_cert", TEXT, 0, 0, "", "client certificate file"),
	KEY(boss, key, "amqp_key", TEXT, 0, 0, "", "client key file"),
	KEY(boss, tls_verify, "amqp_tls_verify", BOOL, 0, 1, "yes",
	    "no: neither chain nor host name is checked"),
	KEY(boss, heartbeat_s, "amqp_heartbeat", UINT, 0, 3600, "30", "seconds; 0 none"),
	KEY(boss, engine_queue, "engine_queue", TEXT, 1, 0, "ruote_workitems", "where replies go"),
	KEY(skynet, include_dir, "include_dir", TEXT, 0, 0, "conf.d", "more *.conf, sorted; relative to etc"),
	KEY(skynet, log_level, "log_level", LEVEL, 0, 0, "info", "debug, info, warning, error, critical"),
	KEY(skynet, sync, "sync", SYNC, 0, 0, "syncfs", "syncfs, fdatasync, none"),
	KEY(skynet, sync_after_ns, "sync_after", SECONDS, 0, 3600, "1",
	    "seconds before unanswered workitems are synced"),
	KEY(skynet, min_free_mb, "min_free_mb", U64, 0, UINT32_MAX, "64",
	    "MB that stay free on the spool's disk"),
	KEY(skynet, min_free_inodes, "min_free_inodes", U64, 0, UINT32_MAX, "1000", "inodes that stay free"),
	KEY(skynet, history, "history", BOOL, 0, 1, "yes", "write history rows"),
	KEY(skynet, air_after_ns, "air_after", SECONDS, 1, 3600, "1",
	    "seconds before a workitem can be asked after from afar; no: never"),
	KEY(skynet, air_max, "air_max", UINT, 1, 10000, "500", "processes that can be asked after at once"),
	KEY(skynet, user, "user", TEXT, 1, 0, "skynet", "the bridge's uid (system home)"),
	KEY(skynet, log_user, "log_user", TEXT, 1, 0, "skynetlog", "svlogd's uid (system home)"),
	KEY(skynet, log_size, "log_size", U64, 0, 1 << 30, "1000000",
	    "bytes of a log file before it is rotated; 0 never"),
	KEY(skynet, log_count, "log_count", U64, 0, 9999, "10", "old log files kept; 0 all"),
	KEY(skynet, log_min_free, "log_min_free", U64, 1, 9999, "5",
	    "old log files kept when the disk is full"),
	KEY(participant, queue, "queue", TEXT, 0, 0, "", "AMQP queue; unset: the participant's name"),
	KEY(participant, regexp, "regexp", TEXT, 0, 0, "", "process writers' names for it (registration)"),
	KEY(participant, code, "code", CODE, 1, 0, "code.py", ".py, .so, or an executable"),
	KEY(participant, user, "user", TEXT, 0, 0, "", "uid that runs the code (system home)"),
	KEY(participant, groups, "groups", TEXT, 0, 0, "", "more groups, colon separated"),
	KEY(participant, instances, "instances", UINT, 1, 256, "1", "workers"),
	KEY(participant, exo_class, "exo_class", TEXT, 0, 0, "", "module:Class instead of SkyNET.Exo"),
	KEY(participant, error_class, "error_class", TEXT, 1, 0, "RuntimeError", "class of error replies"),
	KEY(participant, prefetch, "prefetch", UINT, 1, 65535, "400", "messages taken ahead of their acks"),
	KEY(participant, hold, "hold", UINT, 1, 1000000, "1000", "open workitems at which consuming pauses"),
	KEY(participant, max_size_bytes, "max_size", U64, 1, 1 << 30, "67108864", "bytes of a body"),
	KEY(participant, max_attempts, "max_attempts", UINT, 1, 99, "3", "attempts at a deadly workitem"),
	KEY(participant, sync_results, "sync_results", BOOL, 0, 1, "no",
	    "sync each result: work that must not be repeated"),
	KEY(participant, grace_s, "grace", UINT, 0, 86400, "30", "seconds that running work has after TERM"),
	KEY(participant, time_limit_s, "time_limit", UINT, 0, 31536000, "0", "seconds a workitem has; 0 any"),
	KEY(participant, max_items, "max_items", UINT, 0, 1000000000, "0", "workitems of one worker; 0 any"),
	KEY(participant, limit_data_mb, "limit_data_mb", U64, 0, 1 << 20, "0",
	    "MB of memory of each process (chpst -d); 0 any"),
	KEY(participant, limit_files, "limit_files", U64, 0, 1 << 20, "0",
	    "open files of each process (chpst -o); 0 any"),
	KEY(participant, limit_cpu_s, "limit_cpu_s", U64, 0, 31536000, "0",
	    "CPU seconds of each process (chpst -t); 0 any"),
	KEY(participant, start_limit_s, "start_limit", UINT, 1, 86400, "60", "seconds that `start` may take"),
};

static const char *const SYNCS[] = {"syncfs", "fdatasync", "none"};
static const char *const LEVELS[] = {"debug", "info", "warning", "error"};
static const char *const YES[] = {"yes", "true", "on", "1"};
static const char *const NO[] = {"no", "false", "off", "0"};

const struct sn_config_key *sn_config_keys(size_t *ret_count)
{
	*ret_count = SN_COUNT(KEYS);
	return KEYS;
}

const struct sn_config_key *sn_config_find(const char *section, const char *name)
{
	for (size_t i = 0; i < SN_COUNT(KEYS); i++) {
		if (strcmp(KEYS[i].section, section) == 0 && strcmp(KEYS[i].name, name) == 0)
			return &KEYS[i];
	}
	return NULL;
}

static bool is_text(const struct sn_config_key *k)
{
	return k->kind == TEXT || k->kind == HOSTS || k->kind == CODE;
}

static int find_word(const char *const *words, size_t count, const char *word)
{
	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(words[i], word) == 0)
			return (int)i;
	}
	return -1;
}

static int parse_u64(const char *text, uint64_t *ret)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	return *end != '\0' || errno != 0 ? -EINVAL : 0;
}

/* "0.25": digits, at most nine behind the point. */
static int parse_seconds(const char *text, uint64_t max_s, int64_t *ret_ns)
{
	size_t whole = strspn(text, "0123456789"), part = 0;
	int64_t s = 0, ns = 0;

	if (whole == 0 || whole > 9)
		return -EINVAL;
	for (size_t i = 0; i < whole; i++)
		s = s * 10 + (text[i] - '0');
	if (text[whole] == '.')
		part = strspn(text + whole + 1, "0123456789");
	if (part > 9 || text[whole + (part > 0 ? 1 + part : 0)] != '\0')
		return -EINVAL;
	for (size_t i = 0; i < 9; i++)
		ns = ns * 10 + (i < part ? text[whole + 1 + i] - '0' : 0);
	if ((uint64_t)s > max_s || ((uint64_t)s == max_s && ns > 0))
		return -EINVAL;
	*ret_ns = s * 1000000000 + ns;
	return 0;
}

static int set_choice(const struct sn_config_key *k, const char *value, void *field)
{
	enum sn_level level;
	int word;

	if (k->kind == LEVEL) {
		if (sn_log_level_parse(strcasecmp(value, "warn") == 0 ? "warning" : value, &level) < 0)
			return -EINVAL;
		*(enum sn_level *)field = level;
		return 0;
	}
	if (k->kind == SYNC) {
		word = find_word(SYNCS, SN_COUNT(SYNCS), value);
		if (word < 0)
			return -EINVAL;
		*(enum sn_sync *)field = (enum sn_sync)word;
		return 0;
	}
	word = find_word(YES, SN_COUNT(YES), value);
	if (word < 0 && find_word(NO, SN_COUNT(NO), value) < 0)
		return -EINVAL;
	*(bool *)field = word >= 0;
	return 0;
}

/* "host[:port], [v6]:port, v6, …": as the bridge takes them apart. */
static bool hosts_valid(const char *hosts)
{
	SN_AUTOFREE char *copy = sn_strdup(hosts);
	char *save = NULL, *one = strtok_r(copy, ", \t", &save);
	uint64_t port;

	if (one == NULL)
		return false;
	for (; one != NULL; one = strtok_r(NULL, ", \t", &save)) {
		char *colon = strrchr(one, ':');

		if (colon == one || strpbrk(one, "/@") != NULL) /* a URL? */
			return false;
		if (colon != NULL && (strchr(one, ':') == colon || colon[-1] == ']') &&
		    (parse_u64(colon + 1, &port) < 0 || port < 1 || port > 65535))
			return false;
	}
	return true;
}

/* The classes that an engine knows; any other makes the process hang. */
static bool error_class_valid(const char *name)
{
	static const char *const KNOWN[] = {"RuntimeError", "StandardError", "BOSS::RemoteError",
					    "Ruote::Amqp::RemoteError"};

	return find_word(KNOWN, SN_COUNT(KNOWN), name) >= 0;
}

static int set_text(const struct sn_config_key *k, const char *value, char **field)
{
	if (value[0] == '\0' && k->min > 0)
		return -EINVAL;
	if (k->kind == HOSTS && value[0] == '\0')
		value = k->fallback;
	if (k->kind == HOSTS && !hosts_valid(value))
		return -EINVAL;
	if (k->kind == CODE && (strchr(value, '/') != NULL || value[0] == '.'))
		return -EINVAL;
	if (k->offset == offsetof(struct sn_config, participant.error_class) && !error_class_valid(value))
		return -EINVAL;
	free(*field);
	*field = sn_strdup(value);
	return 0;
}

int sn_config_set(struct sn_config *c, const struct sn_config_key *k, const char *value)
{
	void *field = (char *)c + k->offset;
	uint64_t n;

	if (is_text(k))
		return set_text(k, value, field);
	switch ((enum sn_config_kind)k->kind) {
	case SECONDS:
		if (k->min > 0 && find_word(NO, SN_COUNT(NO), value) >= 0) {
			*(int64_t *)field = -1;
			return 0;
		}
		return parse_seconds(value, k->max, field);
	case UINT:
	case U64:
		if (parse_u64(value, &n) < 0 || n < k->min || n > k->max)
			return -EINVAL;
		if (k->kind == UINT)
			*(unsigned *)field = (unsigned)n;
		else
			*(uint64_t *)field = n;
		return 0;
	default:
		return set_choice(k, value, field);
	}
}

int sn_config_set_text(struct sn_config *c, const char *section, const char *name, const char *value)
{
	const struct sn_config_key *k = sn_config_find(section, name);

	return k == NULL || !is_text(k) ? -EINVAL : sn_config_set(c, k, value);
}

void sn_config_init(struct sn_config *c)
{
	*c = (struct sn_config){0};
	for (size_t i = 0; i < SN_COUNT(KEYS); i++) {
		if (is_text(&KEYS[i]))
			*(char **)(void *)((char *)c + KEYS[i].offset) = sn_strdup(KEYS[i].fallback);
		else if (sn_config_set(c, &KEYS[i], KEYS[i].fallback) < 0)
			abort(); /* a bad row: test_config reads them all */
	}
}

void sn_config_release(struct sn_config *c)
{
	for (size_t i = 0; i < SN_COUNT(KEYS); i++) {
		if (is_text(&KEYS[i]))
			free(*(char **)(void *)((char *)c + KEYS[i].offset));
	}
	*c = (struct sn_config){0};
}

static const char *seconds_text(int64_t ns, char *text, size_t size)
{
	int n = snprintf(text, size, "%lld.%09lld", (long long)(ns / 1000000000),
			 (long long)(ns % 1000000000));

	while (n > 0 && text[n - 1] == '0')
		text[--n] = '\0';
	if (n > 0 && text[n - 1] == '.')
		text[n - 1] = '\0';
	return text;
}

const char *sn_config_get(const struct sn_config *c, const char *section, const char *name)
{
	static char text[40];
	const struct sn_config_key *k = sn_config_find(section, name);
	const void *field = k == NULL ? NULL : (const char *)c + k->offset;

	if (k == NULL)
		return NULL;
	switch ((enum sn_config_kind)k->kind) {
	case BOOL:
		return *(const bool *)field ? "yes" : "no";
	case UINT:
		(void)snprintf(text, sizeof text, "%u", *(const unsigned *)field); /* it fits */
		return text;
	case U64:
		(void)snprintf(text, sizeof text, "%llu",
			       (unsigned long long)*(const uint64_t *)field); /* it fits */
		return text;
	case SECONDS:
		if (*(const int64_t *)field < 0)
			return "no";
		return seconds_text(*(const int64_t *)field, text, sizeof text);
	case LEVEL:
		return LEVELS[*(const enum sn_level *)field];
	case SYNC:
		return SYNCS[*(const enum sn_sync *)field];
	default:
		return *(char *const *)field;
	}
}
