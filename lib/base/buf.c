#include "base/buf.h"

#include <stdarg.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/utf8.h"

char *sn_buf_reserve(struct sn_buf *b, size_t len)
{
	size_t cap = b->cap > 0 ? b->cap : 256;

	if (len > b->max_bytes - b->len)
		return NULL;
	while (cap < b->len + len + 1)
		cap *= 2;
	if (cap != b->cap) {
		b->data = sn_realloc(b->data, cap);
		b->cap = cap;
	}
	return b->data + b->len;
}

int sn_buf_add(struct sn_buf *b, const void *data, size_t len)
{
	char *at = sn_buf_reserve(b, len);

	if (at == NULL)
		return -E2BIG;
	if (len > 0)
		memcpy(at, data, len);
	at[len] = '\0';
	b->len += len;
	return 0;
}

int sn_buf_adds(struct sn_buf *b, const char *s)
{
	return sn_buf_add(b, s, strlen(s));
}

int sn_buf_addf(struct sn_buf *b, const char *fmt, ...)
{
	size_t room = b->cap - b->len;
	va_list ap;
	char *at;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room > 0 ? b->data + b->len : NULL, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	if ((size_t)n < room && (size_t)n <= b->max_bytes - b->len) { /* as it is nearly always */
		b->len += (size_t)n;
		return 0;
	}
	if (room > 0)
		b->data[b->len] = '\0'; /* what was cut off goes again */
	at = sn_buf_reserve(b, (size_t)n);
	if (at == NULL)
		return -E2BIG;
	va_start(ap, fmt);
	(void)vsnprintf(at, (size_t)n + 1, fmt, ap); /* measured above */
	va_end(ap);
	b->len += (size_t)n;
	return 0;
}

int sn_buf_add_json(struct sn_buf *b, const char *s, size_t len)
{
	size_t i = 0;
	int r = sn_buf_add(b, "\"", 1);

	while (r == 0 && i < len) {
		unsigned char c = (unsigned char)s[i];
		size_t n = sn_utf8_sequence(s + i, len - i);

		if (n == 0) {
			r = sn_buf_adds(b, "\xef\xbf\xbd");
			n = 1;
		} else if (c == '"' || c == '\\') {
			r = sn_buf_addf(b, "\\%c", c);
		} else if (c < 0x20 || c == 0x7f) {
			r = sn_buf_addf(b, "\\u%04x", c);
		} else {
			r = sn_buf_add(b, s + i, n);
		}
		i += n;
	}
	return r == 0 ? sn_buf_add(b, "\"", 1) : r;
}

void sn_buf_reset(struct sn_buf *b)
{
	b->len = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

void sn_buf_release(struct sn_buf *b)
{
	free(b->data);
	*b = SN_BUF(b->max_bytes);
}
