#include "base/mem.h"

#include <stdarg.h>
#include <stdlib.h>

static SN_NORETURN void out_of_memory(void)
{
	static const char text[] = "level=error msg=\"out of memory\"\n";

	if (write(STDERR_FILENO, text, sizeof text - 1) < 0) {
		/* nothing left to tell it to */
	}
	_exit(SN_EXIT_TEMPORARY);
}

void *sn_malloc(size_t size)
{
	void *p = malloc(size > 0 ? size : 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *sn_calloc(size_t count, size_t size)
{
	void *p = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *sn_realloc(void *old, size_t size)
{
	void *p = realloc(old, size > 0 ? size : 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

char *sn_strdup(const char *s)
{
	return sn_strndup(s, strlen(s));
}

char *sn_strndup(const char *s, size_t len)
{
	char *p = sn_malloc(len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *sn_asprintf(const char *fmt, ...)
{
	va_list ap;
	char *s = NULL;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0)
		out_of_memory();
	return s;
}

void sn_copy_text(char *to, size_t size, const char *from)
{
	size_t len = strnlen(from, size - 1);

	memcpy(to, from, len);
	to[len] = '\0';
}
