#include "data/json.h"

#include <math.h>
#include <stdlib.h>

#include "base/plain.h"
#include "base/utf8.h"

struct scan {
	const char *p, *end;
};

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static bool skip_escape(struct scan *s)
{
	if (s->end - s->p < 2)
		return false;
	if (s->p[1] == 'u') {
		if (s->end - s->p < 6)
			return false;
		for (int i = 2; i < 6; i++) {
			if (strchr("0123456789abcdefABCDEF", s->p[i]) == NULL || s->p[i] == '\0')
				return false;
		}
		s->p += 6;
		return true;
	}
	if (s->p[1] == '\0' || strchr("\"\\/bfnrt", s->p[1]) == NULL)
		return false;
	s->p += 2;
	return true;
}

static bool skip_string(struct scan *s)
{
	if (s->p >= s->end || *s->p != '"')
		return false;
	s->p++;
	while (s->p < s->end) {
		unsigned char c;
		size_t n;

		s->p += sn_plain_prefix(s->p, (size_t)(s->end - s->p));
		if (s->p >= s->end)
			return false;
		c = (unsigned char)*s->p;
		if (c == '"') {
			s->p++;
			return true;
		}
		if (c == '\\') {
			if (!skip_escape(s))
				return false;
			continue;
		}
		n = c < 0x80 ? 0 : sn_utf8_sequence(s->p, (size_t)(s->end - s->p));
		if (n == 0)
			return false;
		s->p += n;
	}
	return false;
}

static size_t digits(struct scan *s)
{
	const char *from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9')
		s->p++;
	return (size_t)(s->p - from);
}

/* False for a number whose double is infinite. Short ones without an exponent cannot be. */
static bool number_fits(const char *from, size_t len, bool exponent)
{
	char small[64], *copy = small;
	bool fits;

	if (!exponent && len < 300)
		return true;
	if (len >= sizeof small) {
		copy = malloc(len + 1);
		if (copy == NULL)
			return false;
	}
	memcpy(copy, from, len);
	copy[len] = '\0';
	fits = isfinite(strtod(copy, NULL));
	if (copy != small)
		free(copy);
	return fits;
}

static bool skip_number(struct scan *s)
{
	const char *from = s->p;
	bool exponent = false;

	if (s->p < s->end && *s->p == '-')
		s->p++;
	if (s->p < s->end && *s->p == '0')
		s->p++;
	else if (digits(s) == 0)
		return false;
	if (s->p < s->end && *s->p == '.') {
		s->p++;
		if (digits(s) == 0)
			return false;
	}
	if (s->p < s->end && (*s->p == 'e' || *s->p == 'E')) {
		exponent = true;
		s->p++;
		if (s->p < s->end && (*s->p == '+' || *s->p == '-'))
			s->p++;
		if (digits(s) == 0)
			return false;
	}
	return number_fits(from, (size_t)(s->p - from), exponent);
}

static bool skip_word(struct scan *s, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(s->end - s->p) < len || memcmp(s->p, word, len) != 0)
		return false;
	s->p += len;
	return true;
}

static bool skip_scalar(struct scan *s)
{
	if (s->p >= s->end)
		return false;
	switch (*s->p) {
	case '"':
		return skip_string(s);
	case 't':
		return skip_word(s, "true");
	case 'f':
		return skip_word(s, "false");
	case 'n':
		return skip_word(s, "null");
	default:
		return skip_number(s);
	}
}

/* `"key" :` of an object, white space around it included. */
static bool skip_key(struct scan *s)
{
	skip_space(s);
	if (!skip_string(s))
		return false;
	skip_space(s);
	if (s->p >= s->end || *s->p != ':')
		return false;
	s->p++;
	skip_space(s);
	return true;
}

/* One value of any kind, without recursion: `closer` is the stack of brackets that are open. */
static bool skip_value(struct scan *s, unsigned depth)
{
	char closer[SN_JSON_DEPTH];
	unsigned base = depth;

	for (;;) {
		bool open = s->p < s->end && (*s->p == '{' || *s->p == '[');

		if (open && depth >= SN_JSON_DEPTH)
			return false;
		if (open) {
			closer[depth++] = *s->p == '{' ? '}' : ']';
			s->p++;
			skip_space(s);
			if (s->p >= s->end || *s->p != closer[depth - 1]) {
				if (closer[depth - 1] == '}' && !skip_key(s))
					return false;
				continue;
			}
		} else if (!skip_scalar(s)) {
			return false;
		}
		/* A value has ended, or an empty container is at its end. */
		for (;;) {
			if (depth == base)
				return true;
			skip_space(s);
			if (s->p >= s->end)
				return false;
			if (*s->p == closer[depth - 1]) {
				s->p++;
				depth--;
				continue;
			}
			if (*s->p++ != ',')
				return false;
			skip_space(s);
			break;
		}
		if (closer[depth - 1] == '}' && !skip_key(s))
			return false;
	}
}

/* Takes one character of a key, an escape decoded; beyond ASCII an escape is -1, which no key of ours has. */
static int next_of_key(struct scan *s)
{
	static const char NAMES[] = "bfnrt", BYTES[] = "\b\f\n\r\t";
	char hex[5] = "";
	const char *name;
	long code;

	if (*s->p != '\\')
		return (unsigned char)*s->p++;
	if (s->p[1] != 'u') {
		name = strchr(NAMES, s->p[1]);
		s->p += 2;
		return name != NULL ? BYTES[name - NAMES] : s->p[-1];
	}
	memcpy(hex, s->p + 2, 4);
	s->p += 6;
	code = strtol(hex, NULL, 16);
	return code < 0x80 ? (int)code : -1;
}

/* Every other parser decodes keys before it compares them, so "\u0066ei" is fei. */
static bool same_key(struct sn_span key, const char *want)
{
	struct scan s = {.p = key.data, .end = key.data + key.len};

	if (memchr(key.data, '\\', key.len) == NULL)
		return strlen(want) == key.len && memcmp(want, key.data, key.len) == 0;
	while (s.p < s.end && *want != '\0') {
		if (next_of_key(&s) != (unsigned char)*want++)
			return false;
	}
	return s.p == s.end && *want == '\0';
}

static void note_member(struct sn_span key, struct sn_span value, const char *const *keys,
			struct sn_span *values, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (same_key(key, keys[i]))
			values[i] = value;
	}
}

static bool scan_members(struct scan *s, const char *const *keys, struct sn_span *values, size_t count)
{
	s->p++;
	skip_space(s);
	if (s->p < s->end && *s->p == '}') {
		s->p++;
		return true;
	}
	for (;;) {
		struct sn_span key, value;

		skip_space(s);
		key.data = s->p + 1;
		if (!skip_string(s))
			return false;
		key.len = (size_t)(s->p - key.data) - 1;
		skip_space(s);
		if (s->p >= s->end || *s->p++ != ':')
			return false;
		skip_space(s);
		value.data = s->p;
		if (!skip_value(s, 1))
			return false;
		value.len = (size_t)(s->p - value.data);
		note_member(key, value, keys, values, count);
		skip_space(s);
		if (s->p >= s->end)
			return false;
		if (*s->p == '}') {
			s->p++;
			return true;
		}
		if (*s->p++ != ',')
			return false;
	}
}

int sn_json_object(const char *text, size_t len, const char *const *keys, struct sn_span *ret_values,
		   size_t count)
{
	struct scan s = {.p = text, .end = text + len};
	bool object, whole;

	for (size_t i = 0; i < count; i++)
		ret_values[i] = (struct sn_span){0};
	skip_space(&s);
	object = s.p < s.end && *s.p == '{';
	whole = object ? scan_members(&s, keys, ret_values, count) : skip_value(&s, 0);
	skip_space(&s);
	if (!whole || s.p != s.end)
		return -EBADMSG;
	return object ? 0 : -ENOTSUP;
}

/* The element behind `value`, the first one where that is none. `key` NULL: of an array. */
static bool next_of(struct sn_span from, struct sn_span *key, struct sn_span *value)
{
	struct scan s = {.p = from.data, .end = from.data + from.len};

	if (from.data == NULL || from.len == 0 || from.data[0] != (key == NULL ? '[' : '{'))
		return false;
	s.p = value->data == NULL ? from.data + 1 : value->data + value->len;
	skip_space(&s);
	if (value->data != NULL && s.p < s.end && *s.p == ',')
		s.p++;
	skip_space(&s);
	if (s.p >= s.end || *s.p == ']' || *s.p == '}')
		return false;
	if (key != NULL) {
		key->data = s.p;
		if (!skip_string(&s))
			return false;
		key->len = (size_t)(s.p - key->data);
		s.p = key->data;
		if (!skip_key(&s))
			return false;
	}
	value->data = s.p;
	if (!skip_value(&s, 1))
		return false;
	value->len = (size_t)(s.p - value->data);
	return true;
}

bool sn_json_next(struct sn_span array, struct sn_span *element)
{
	return next_of(array, NULL, element);
}

bool sn_json_member(struct sn_span object, struct sn_span *key, struct sn_span *value)
{
	return next_of(object, key, value);
}
