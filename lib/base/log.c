#include "base/log.h"

#include <stdarg.h>

enum { LINE_MAX_BYTES = 2048 };

static const char *const LEVELS[] = {"debug", "info", "warning", "error"};
static enum sn_level threshold = SN_INFO;
static void (*log_sink)(const char *line, size_t len);

void sn_log_set_level(enum sn_level level)
{
	threshold = level;
}

void sn_log_set_sink(void (*sink)(const char *line, size_t len))
{
	log_sink = sink;
}

int sn_log_level_parse(const char *word, enum sn_level *ret_level)
{
	for (size_t i = 0; i < SN_COUNT(LEVELS); i++) {
		if (strcasecmp(word, LEVELS[i]) == 0) {
			*ret_level = (enum sn_level)i;
			return 0;
		}
	}
	if (strcasecmp(word, "critical") != 0)
		return -EINVAL;
	*ret_level = SN_ERROR;
	return 0;
}

/* Copies text with control bytes as \xNN. Returns the bytes written, at most room. */
static size_t escape(char *out, size_t room, const char *text)
{
	static const char HEX[] = "0123456789abcdef";
	size_t n = 0;

	for (; *text != '\0' && n + 4 <= room; text++) {
		unsigned char c = (unsigned char)*text;

		if (c >= 0x20 && c != 0x7f) {
			out[n++] = (char)c;
			continue;
		}
		out[n++] = '\\';
		out[n++] = 'x';
		out[n++] = HEX[c >> 4];
		out[n++] = HEX[c & 15];
	}
	return n;
}

void sn_log(enum sn_level level, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES + 64];
	va_list ap;
	size_t n;

	if (level < threshold)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap); /* a long line is cut */
	va_end(ap);
	n = (size_t)snprintf(line, 32, "%s: ", LEVELS[level]);
	n += escape(line + n, sizeof line - n - 1, text);
	line[n++] = '\n';
	if (log_sink != NULL) {
		log_sink(line, n);
		return;
	}
	if (write(STDERR_FILENO, line, n) < 0) {
		/* the log is gone; there is nowhere to say so */
	}
}
