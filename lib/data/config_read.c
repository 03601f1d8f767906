/* Configuration files, and what is said about them. */
#include <fcntl.h>

#include "base/mem.h"
#include "data/config_private.h"
#include "data/ini.h"
#include "sys/fd.h"

struct reading {
	struct sn_config *config;
	struct sn_config_reader *reader;
	const char *path;
	unsigned errors;
};

static void report(struct reading *rd, bool error, unsigned line, const char *text)
{
	if (error) {
		rd->errors++;
		rd->reader->errors++;
	}
	if (rd->reader->complain != NULL)
		rd->reader->complain(rd->reader->arg, error, rd->path, line, text);
	else if (error)
		sn_err("%s:%u: %s", rd->path, line, text);
	else
		sn_warn("%s:%u: %s", rd->path, line, text);
}

static void on_complaint(void *arg, unsigned line, const char *text)
{
	report(arg, true, line, text);
}

/* Says what would be right; the value itself only where it cannot be a secret. */
static void report_value(struct reading *rd, unsigned line, const struct sn_config_key *k, const char *value)
{
	SN_AUTOFREE char *text = NULL;

	switch ((enum sn_config_kind)k->kind) {
	case UINT:
	case U64:
		text = sn_asprintf("%s: '%.40s' is no number from %llu to %llu", k->name, value,
				   (unsigned long long)k->min, (unsigned long long)k->max);
		break;
	case SECONDS:
		text = sn_asprintf("%s: '%.40s' is no number of seconds up to %llu%s", k->name, value,
				   (unsigned long long)k->max, k->min > 0 ? " or no" : "");
		break;
	case BOOL:
		text = sn_asprintf("%s: '%.40s' is neither yes nor no", k->name, value);
		break;
	case LEVEL: /* participants' files that say something else were always taken (so in Python, too) */
		text = sn_asprintf("%s: '%.40s' is ignored, it is none of %s", k->name, value, k->help);
		break;
	case SYNC:
		text = sn_asprintf("%s: '%.40s' is none of %s", k->name, value, k->help);
		break;
	case HOSTS:
		text = sn_asprintf("%s: not host[:port][, host[:port] …] with ports from 1 to 65535",
				   k->name);
		break;
	case CODE:
		text = sn_asprintf("%s: '%.40s' is no plain file name", k->name, value);
		break;
	default:
		text = sn_asprintf("%s: may not be empty", k->name);
		break;
	}
	report(rd, k->kind != LEVEL, line, text);
}

static void on_value(void *arg, unsigned line, const char *section, const char *name, const char *value)
{
	struct reading *rd = arg;
	const struct sn_config_key *k = sn_config_find(section, name);
	SN_AUTOFREE char *text = NULL;

	if (k != NULL) {
		if (sn_config_set(rd->config, k, value) < 0)
			report_value(rd, line, k, value);
	} else if (strcmp(section, "skynet") == 0 || strcmp(section, "participant") == 0) {
		text = sn_asprintf("unknown key '%s' in [%s]", name, section);
		report(rd, false, line, text);
	} else if (strcmp(section, "boss") != 0 && /* which has keys of others */
		   (strcasecmp(section, "boss") == 0 || strcasecmp(section, "skynet") == 0 ||
		    strcasecmp(section, "participant") == 0)) {
		text = sn_asprintf("[%s] is a section of the participant's own: ours are in small letters",
				   section);
		report(rd, false, line, text);
	}
}

int sn_config_read_file(struct sn_config *c, const char *path, struct sn_config_reader *rd)
{
	struct reading reading = {.config = c, .reader = rd, .path = path};
	struct sn_ini ini = {.arg = &reading, .value = on_value, .complain = on_complaint};
	struct sn_buf text = SN_BUF(SN_CONFIG_FILE_MAX);
	SN_AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int r;

	if (fd < 0)
		return -errno;
	r = sn_fd_read_all(fd, &text);
	if (r == 0 && text.len > 0)
		r = sn_ini_parse(text.data, text.len, &ini);
	if (r == -E2BIG) {
		report(&reading, true, 0, "file longer than 1 MiB");
		r = -EINVAL;
	}
	sn_buf_release(&text);
	return r == 0 && reading.errors > 0 ? -EINVAL : r;
}
