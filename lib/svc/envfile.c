#include "svc/envfile.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/mem.h"
#include "sys/fd.h"

enum { ENV_FILE_MAX = 1 << 20 };

static const char *skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* 0, or -EINVAL for a line that is none of what is allowed. */
static int apply_line(char *line)
{
	size_t len = strlen(line);
	const char *key;
	char *eq;

	while (len > 0 && isspace((unsigned char)line[len - 1]))
		line[--len] = '\0';
	key = skip_blanks(line);
	if (*key == '\0' || *key == '#')
		return 0;
	if (strncmp(key, "export", 6) == 0 && (key[6] == ' ' || key[6] == '\t'))
		key = skip_blanks(key + 6);
	eq = strchr(key, '=');
	if (eq == NULL || eq == key || isdigit((unsigned char)*key))
		return -EINVAL;
	for (const char *p = key; p < eq; p++) {
		if (!isalnum((unsigned char)*p) && *p != '_')
			return -EINVAL;
	}
	*eq = '\0';
	return setenv(key, eq + 1, 1) < 0 ? -errno : 0;
}

static void apply_file(const char *path)
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
		if (apply_line(line) < 0) /* the text is not shown: it may be a secret */
			sn_warn("%s:%u: malformed line, expected NAME=VALUE; skipped", path, number);
	}
	sn_buf_release(&text);
}

void sn_envfile_apply(const struct sn_home *h, const char *participant)
{
	SN_AUTOFREE char *host = sn_asprintf("%s/skynet.env", h->etc);
	SN_AUTOFREE char *own = sn_asprintf("%s/%s.env", h->etc, participant);

	apply_file(host);
	apply_file(own);
}
