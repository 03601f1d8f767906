#include "svc/pretty.h"

#include "base/utf8.h"

static int new_line(struct sn_buf *out, unsigned depth)
{
	int r = sn_buf_add(out, "\n", 1);

	while (r == 0 && depth-- > 0)
		r = sn_buf_add(out, "  ", 2);
	return r;
}

/* U+0080–U+009F: a terminal takes them for control sequences. */
static bool is_c1(const char *s, size_t left)
{
	return left >= 2 && (unsigned char)s[0] == 0xc2 && (unsigned char)s[1] >= 0x80 &&
	       (unsigned char)s[1] < 0xa0;
}

/* A string token, its quotes included; returns what was taken. */
static size_t add_string(const char *text, size_t len, struct sn_buf *out, int *ret)
{
	size_t i = 1, from = 0;

	for (*ret = 0; *ret == 0 && i < len && text[i] != '"'; i++) {
		bool c1 = is_c1(text + i, len - i);

		if (text[i] == '\\') {
			i++;
		} else if (c1 || text[i] == 0x7f) {
			*ret = sn_buf_add(out, text + from, i - from);
			if (*ret == 0)
				*ret = sn_buf_addf(out, "\\u%04x", (unsigned char)text[i + c1]);
			i += c1;
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
		unsigned char c = (unsigned char)text[i];

		if (n == 0 || c < 0x20 || c == 0x7f || is_c1(text + i, len - i)) {
			r = sn_buf_addf(out, "\\x%02x", c);
			i++;
		} else {
			r = sn_buf_add(out, text + i, n);
			i += n;
		}
	}
	return r;
}
