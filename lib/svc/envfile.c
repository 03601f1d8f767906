#include "svc/envfile.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sys/fd.h"

enum { ENV_FILE_MAX = 1 << 20, ENV_COUNT_MAX = 4096 };

static char *skip_blanks(char *s)
{
	return s + strspn(s, " \t");
}

static bool key_valid(const char *key)
{
	if (*key == '\0' || isdigit((unsigned char)*key))
		return false;
	while (isalnum((unsigned char)*key) || *key == '_')
		key++;
	return *key == '\0';
}

/* 0, or -EINVAL for a line that is none of what is allowed. */
static int add_line(struct sn_env *e, char *line)
{
	size_t len = strlen(line);
	char *key, *eq, *pair;

	while (len > 0 && isspace((unsigned char)line[len - 1]))
		line[--len] = '\0';
	key = skip_blanks(line);
	if (*key == '\0' || *key == '#')
		return 0;
	if (strncmp(key, "export", 6) == 0 && (key[6] == ' ' || key[6] == '\t'))
		key = skip_blanks(key + 6);
	eq = strchr(key, '=');
	if (eq == NULL || e->count == ENV_COUNT_MAX)
		return -EINVAL;
	pair = sn_strdup(key);
	pair[eq - key] = '\0';
	if (!key_valid(pair)) {
		free(pair);
		return -EINVAL;
	}
	e->list = sn_realloc(e->list, (e->count + 1) * sizeof *e->list);
	e->list[e->count++] = pair;
	return 0;
}

static void load_file(struct sn_env *e, const char *path)
{
	struct sn_buf text = SN_BUF(ENV_FILE_MAX);
	SN_AUTOFD int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : sn_fd_read_all(fd, &text);
	char *rest = r == 0 ? text.data : NULL, *line;
	unsigned number = 0;

	if (r < 0 && r != -ENOENT)
		sn_warn("%s: cannot be read, skipped: %s", path, strerror(-r));
	while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
		number++;
		if (add_line(e, line) < 0) /* the text is not shown: it may be a secret */
			sn_warn("%s:%u: malformed line, expected NAME=VALUE; skipped", path, number);
	}
	sn_buf_release(&text);
}

void sn_env_load(struct sn_env *e, const struct sn_home *h, const char *participant)
{
	SN_AUTOFREE char *host = sn_asprintf("%s/skynet.env", h->etc);
	SN_AUTOFREE char *own = sn_asprintf("%s/%s.env", h->etc, participant);

	sn_env_release(e);
	load_file(e, host);
	load_file(e, own);
}

void sn_env_release(struct sn_env *e)
{
	for (size_t i = 0; i < e->count; i++)
		free(e->list[i]);
	free(e->list);
	*e = (struct sn_env){0};
}

int sn_env_apply(const struct sn_env *e)
{
	for (size_t i = 0; i < e->count; i++) {
		const char *key = e->list[i];

		if (setenv(key, key + strlen(key) + 1, 1) < 0)
			return -errno;
	}
	return 0;
}
