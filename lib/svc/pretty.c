#include "svc/pretty.h"

#include "base/utf8.h"

static int new_line(struct sn_buf *out, unsigned depth)
{
	int r = sn_buf_add(out, "\n", 1);

	while (r == 0 && depth-- > 0)
		r = sn_buf_add(out, "  ", 2);
	return r;
}

/* Not the joiners U+200C and U+200D: some scripts are not written right without them. */
static const struct {
	unsigned from, to;
} HIDDEN[] = {{0x7f, 0x9f},	{0x61c, 0x61c},	  {0x200b, 0x200b}, {0x200e, 0x200f},
	      {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}};

size_t sn_pretty_hidden(const char *s, size_t left, unsigned *ret_character)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n = left > 0 && p[0] >= 0x7f ? sn_utf8_sequence(s, left) : 0;
	unsigned c;

	if (n < 1 || n > 3)
		return 0;
	c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++)
		c = c << 6 | (p[i] & 0x3f);
	for (size_t i = 0; i < SN_COUNT(HIDDEN); i++) {
		if (c >= HIDDEN[i].from && c <= HIDDEN[i].to) {
			*ret_character = c;
			return n;
		}
	}
	return 0;
}

/* A string token, its quotes included; returns what was taken. */
static size_t add_string(const char *text, size_t len, struct sn_buf *out, int *ret)
{
	size_t i = 1, from = 0;

	for (*ret = 0; *ret == 0 && i < len && text[i] != '"'; i++) {
		unsigned c;
		size_t n = sn_pretty_hidden(text + i, len - i, &c);

		if (text[i] == '\\') {
			i++;
		} else if (n > 0) {
			*ret = sn_buf_add(out, text + from, i - from);
			if (*ret == 0)
				*ret = sn_buf_addf(out, "\\u%04x", c);
			i += n - 1;
			from = i + 1;
		}
	}
	if (*ret == 0)
		*ret = sn_buf_add(out, text + from, i + 1 - from);
	return i + 1;
}

static size_t skip_space(const char *text, size_t i, size_t len)
{
	while (i < len && (text[i] == ' ' || text[i] == '\t' || text[i] == '\n' || text[i] == '\r'))
		i++;
	return i;
}

/* One token that is no string. Returns what was taken. */
static size_t add_mark(const char *text, size_t len, unsigned *depth, struct sn_buf *out, int *ret)
{
	size_t next = skip_space(text, 1, len);

	switch (text[0]) {
	case '{':
	case '[':
		*ret = sn_buf_add(out, text, 1);
		if (*ret == 0 && next < len && (text[next] == '}' || text[next] == ']')) {
			*ret = sn_buf_add(out, text + next, 1);
			return next + 1;
		}
		if (*ret == 0)
			*ret = new_line(out, ++*depth);
		return 1;
	case '}':
	case ']':
		*ret = new_line(out, *depth > 0 ? --*depth : 0);
		break;
	case ',':
		*ret = sn_buf_add(out, ",", 1);
		if (*ret == 0)
			*ret = new_line(out, *depth);
		return 1;
	case ':':
		*ret = sn_buf_add(out, ": ", 2);
		return 1;
	default:
		break;
	}
	if (*ret == 0)
		*ret = sn_buf_add(out, text, 1);
	return 1;
}

int sn_pretty(const char *text, size_t len, struct sn_buf *out)
{
	unsigned depth = 0;
	int r = 0;

	for (size_t i = skip_space(text, 0, len); r == 0 && i < len; i = skip_space(text, i, len)) {
		if (text[i] == '"')
			i += add_string(text + i, len - i, out, &r);
		else
			i += add_mark(text + i, len - i, &depth, out, &r);
	}
	return r == 0 ? sn_buf_add(out, "\n", 1) : r;
}

int sn_pretty_line(const char *text, size_t len, struct sn_buf *out)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < len;) {
		size_t n = sn_utf8_sequence(text + i, len - i);
		unsigned c;

		if (n > 0 && (unsigned char)text[i] >= 0x20 && sn_pretty_hidden(text + i, n, &c) == 0) {
			r = sn_buf_add(out, text + i, n);
			i += n;
			continue;
		}
		for (n = n > 0 ? n : 1; r == 0 && n > 0; n--)
			r = sn_buf_addf(out, "\\x%02x", (unsigned char)text[i++]);
	}
	return r;
}
