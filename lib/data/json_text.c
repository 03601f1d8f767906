/* Strings and numbers of JSON that was checked, as C has them. */
#include <stdlib.h>

#include "base/utf8.h"
#include "data/json.h"

struct out {
	char *text;
	size_t len, size; /* room for the NUL is kept */
	bool full;
};

/* All of it or nothing, and nothing after that. */
static void put(struct out *o, const char *bytes, size_t len)
{
	o->full = o->full || o->len + len >= o->size;
	if (o->full)
		return;
	memcpy(o->text + o->len, bytes, len);
	o->len += len;
}

static void put_code(struct out *o, unsigned long c)
{
	char b[4];

	if (c < 0x80) {
		b[0] = (char)c;
		put(o, b, 1);
	} else if (c < 0x800) {
		b[0] = (char)(0xc0 | c >> 6);
		b[1] = (char)(0x80 | (c & 0x3f));
		put(o, b, 2);
	} else if (c < 0x10000) {
		b[0] = (char)(0xe0 | c >> 12);
		b[1] = (char)(0x80 | (c >> 6 & 0x3f));
		b[2] = (char)(0x80 | (c & 0x3f));
		put(o, b, 3);
	} else {
		b[0] = (char)(0xf0 | c >> 18);
		b[1] = (char)(0x80 | (c >> 12 & 0x3f));
		b[2] = (char)(0x80 | (c >> 6 & 0x3f));
		b[3] = (char)(0x80 | (c & 0x3f));
		put(o, b, 4);
	}
}

static unsigned long hex4(const char *p)
{
	char digits[5] = "";

	memcpy(digits, p, 4);
	return strtoul(digits, NULL, 16);
}

/* The escape at p, "\uXXXX" (a pair of them); returns what was taken. */
static size_t put_unicode(struct out *o, const char *p, const char *end)
{
	unsigned long c = hex4(p + 2), low;

	if (c < 0xd800 || c > 0xdfff) {
		put_code(o, c);
		return 6;
	}
	if (c < 0xdc00 && end - p >= 12 && p[6] == '\\' && p[7] == 'u') {
		low = hex4(p + 8);
		if (low >= 0xdc00 && low <= 0xdfff) {
			put_code(o, 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00));
			return 12;
		}
	}
	put(o, "?", 1);
	return 6;
}

size_t sn_json_text(struct sn_span string, char *ret_text, size_t size)
{
	static const char NAMES[] = "bfnrt", BYTES[] = "\b\f\n\r\t";
	struct out o = {.text = ret_text, .size = size};
	const char *p, *end;

	ret_text[0] = '\0';
	if (string.data == NULL || string.len < 2 || string.data[0] != '"')
		return 0;
	p = string.data + 1;
	end = string.data + string.len - 1;
	while (p < end && !o.full) {
		const char *name;
		size_t n;

		if (p[0] == '\\' && p[1] == 'u') {
			p += put_unicode(&o, p, end);
		} else if (p[0] == '\\') {
			name = strchr(NAMES, p[1]);
			put(&o, name != NULL ? &BYTES[name - NAMES] : p + 1, 1);
			p += 2;
		} else {
			n = sn_utf8_sequence(p, (size_t)(end - p));
			n = n == 0 ? 1 : n; /* was checked */
			put(&o, p, n);
			p += n;
		}
	}
	ret_text[o.len] = '\0';
	return o.len;
}

long sn_json_number(struct sn_span number, long otherwise)
{
	char copy[32], *end;
	long n;

	if (number.data == NULL || number.len == 0 || number.len >= sizeof copy)
		return otherwise;
	memcpy(copy, number.data, number.len);
	copy[number.len] = '\0';
	errno = 0;
	n = strtol(copy, &end, 10);
	return errno != 0 || end == copy || *end != '\0' ? otherwise : n;
}

bool sn_json_is(struct sn_span value, const char *word)
{
	return value.data != NULL && value.len == strlen(word) && memcmp(value.data, word, value.len) == 0;
}
