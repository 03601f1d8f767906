#include "env.h"

#include <ctype.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "sys/fd.h"

enum { ENV_FILE_MAX = 1 << 20, ENV_COUNT_MAX = 4096 };

static bool key_valid(const char *s, size_t len)
{
	if (len == 0 || isdigit((unsigned char)s[0]))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isalnum((unsigned char)s[i]) && s[i] != '_')
			return false;
	}
	return true;
}

static const char *skip_space(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

/* 0, or -EINVAL for a line that is none of what is allowed. */
static int add_line(struct env *e, const char *line)
{
	const char *eq;

	line = skip_space(line);
	if (*line == '\0' || *line == '#')
		return 0;
	if (strncmp(line, "export", 6) == 0 && (line[6] == ' ' || line[6] == '\t'))
		line = skip_space(line + 6);
	eq = strchr(line, '=');
	if (eq == NULL || !key_valid(line, (size_t)(eq - line)) || e->count == ENV_COUNT_MAX)
		return -EINVAL;
	e->list = sn_realloc(e->list, (e->count + 1) * sizeof *e->list);
	e->list[e->count++] = sn_strdup(line);
	return 0;
}

static void load_file(struct env *e, const char *path)
{
	struct sn_buf text = SN_BUF(ENV_FILE_MAX);
	SN_AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned number = 0;
	char *rest, *line;
	int r = fd < 0 ? -errno : sn_fd_read_all(fd, &text);

	if (r < 0 && r != -ENOENT)
		sn_warn("%s: cannot be read, skipped: %s", path, strerror(-r));
	rest = r == 0 ? text.data : NULL;
	while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
		size_t len = strlen(line);

		number++;
		while (len > 0 && isspace((unsigned char)line[len - 1]))
			line[--len] = '\0';
		if (add_line(e, line) < 0) /* the text is not shown: it may be a secret */
			sn_warn("%s:%u: malformed line, expected NAME=VALUE; skipped", path, number);
	}
	sn_buf_release(&text);
}

void env_release(struct env *e)
{
	for (size_t i = 0; i < e->count; i++)
		free(e->list[i]);
	free(e->list);
	*e = (struct env){0};
}

void env_load(struct env *e, const struct sn_home *home, const char *participant)
{
	SN_AUTOFREE char *host = sn_asprintf("%s/skynet.env", home->etc);
	SN_AUTOFREE char *own = sn_asprintf("%s/%s.env", home->etc, participant);

	env_release(e);
	load_file(e, host);
	load_file(e, own);
}

static void set(const char *key, const char *value)
{
	if (setenv(key, value, 1) < 0)
		_exit(SN_EXIT_TEMPORARY); /* out of memory */
}

void env_apply(const struct env *e)
{
	const struct passwd *pw = getpwuid(getuid()); /* NULL: a bare number, as in containers */

	set("HOME", pw != NULL ? pw->pw_dir : "/");
	if (pw != NULL) {
		set("USER", pw->pw_name);
		set("LOGNAME", pw->pw_name);
	}
	for (size_t i = 0; i < e->count; i++) {
		char *eq = strchr(e->list[i], '=');

		*eq = '\0'; /* the child's own copy */
		set(e->list[i], eq + 1);
	}
}
