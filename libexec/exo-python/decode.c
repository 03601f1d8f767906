#include "decode.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/plain.h"

enum { DEPTH_MAX = 200, NUMBER_MAX = 40, SHORT_DIGITS = 18, KEYS = 256, KEY_MAX = 64, LARGE = 64 << 10 };

struct in {
	const char *at, *end;
	int depth;
	PyObject *memo; /* of a large text: keys that were not in the table below; NULL: of a small one */
};

/* Workitems have the same keys again and again: those of late, for the whole process. Under the GIL, which nothing
 * between a look and the reference taken lets go. */
static PyObject *keys[KEYS];

static PyObject *value_in(struct in *in);

static void skip_space(struct in *in)
{
	while (in->at < in->end && (*in->at == ' ' || *in->at == '\n' || *in->at == '\r' || *in->at == '\t'))
		in->at++;
}

/* Is it the next byte, behind white space? Then it is taken. */
static bool take(struct in *in, char c)
{
	skip_space(in);
	if (in->at == in->end || *in->at != c)
		return false;
	in->at++;
	return true;
}

static bool hex_in(const char *at, const char *end, unsigned *ret)
{
	unsigned code = 0;

	if (end - at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		const char c = at[i];

		if (c >= '0' && c <= '9')
			code = code << 4 | (unsigned)(c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			code = code << 4 | (unsigned)((c | 0x20) - 'a' + 10);
		else
			return false;
	}
	*ret = code;
	return true;
}

/* What stands behind "\u"; both halves of a pair. Behind it, or NULL. */
static const char *code_in(const char *at, const char *end, unsigned *ret)
{
	unsigned low;

	if (!hex_in(at, end, ret))
		return NULL;
	at += 4;
	if (*ret < 0xd800 || *ret > 0xdfff)
		return at;
	if (*ret > 0xdbff || end - at < 2 || at[0] != '\\' || at[1] != 'u' || !hex_in(at + 2, end, &low) ||
	    low < 0xdc00 || low > 0xdfff)
		return NULL; /* json lets half a pair be */
	*ret = 0x10000 + ((*ret - 0xd800) << 10) + (low - 0xdc00);
	return at + 6;
}

static char *utf8_out(char *to, unsigned code)
{
	if (code < 0x80) {
		*to++ = (char)code;
	} else if (code < 0x800) {
		*to++ = (char)(0xc0 | code >> 6);
		*to++ = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		*to++ = (char)(0xe0 | code >> 12);
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	} else {
		*to++ = (char)(0xf0 | code >> 18);
		*to++ = (char)(0x80 | (code >> 12 & 0x3f));
		*to++ = (char)(0x80 | (code >> 6 & 0x3f));
		*to++ = (char)(0x80 | (code & 0x3f));
	}
	return to;
}

/* Between the quotes, with escapes, as UTF-8; never longer than it was. Behind what it wrote, or NULL. */
static char *unescape(const char *at, const char *end, char *to)
{
	static const char LETTERS[] = "\"\\/bfnrt", MEANT[] = "\"\\/\b\f\n\r\t";
	const char *letter;
	unsigned code;

	while (at < end) {
		if (*at != '\\') {
			*to++ = *at++;
			continue;
		}
		at++; /* not the last byte: a quote behind it would have been no end */
		if (*at == 'u') {
			at = code_in(at + 1, end, &code);
			if (at == NULL)
				return NULL;
			to = utf8_out(to, code);
			continue;
		}
		letter = *at != '\0' ? strchr(LETTERS, *at) : NULL;
		if (letter == NULL)
			return NULL;
		*to++ = MEANT[letter - LETTERS];
		at++;
	}
	return to;
}

static PyObject *escaped(const char *text, size_t len)
{
	char *plain = PyMem_RawMalloc(len), *end = plain != NULL ? unescape(text, text + len, plain) : NULL;
	PyObject *s = end != NULL ? PyUnicode_DecodeUTF8(plain, end - plain, NULL) : NULL;

	PyMem_RawFree(plain);
	return s;
}

static PyObject *ascii(const char *text, size_t len)
{
	PyObject *s;

	if (len < 2)
		return PyUnicode_FromStringAndSize(text, (Py_ssize_t)len); /* Python has them already */
	s = PyUnicode_New((Py_ssize_t)len, 0x7f);
	if (s != NULL)
		memcpy(PyUnicode_1BYTE_DATA(s), text, len);
	return s;
}

/* Takes key over. A list of many rows has each of its keys once, not in every row, as json's decoder has it. */
static PyObject *shared(struct in *in, PyObject *key)
{
	PyObject *first;

	if (key == NULL || in->memo == NULL)
		return key;
	first = PyDict_SetDefault(in->memo, key, key); /* borrowed */
	Py_XINCREF(first);
	Py_DECREF(key);
	return first;
}

static PyObject *key_of(struct in *in, const char *text, size_t len)
{
	unsigned hash = (unsigned)len;
	PyObject **slot, *key;

	if (len > KEY_MAX)
		return shared(in, ascii(text, len));
	for (size_t i = 0; i < len; i++)
		hash = hash * 31 + (unsigned char)text[i];
	slot = &keys[(hash ^ hash >> 8) % KEYS];
	key = *slot;
	if (key == NULL || (size_t)PyUnicode_GET_LENGTH(key) != len ||
	    memcmp(PyUnicode_1BYTE_DATA(key), text, len) != 0) {
		key = shared(in, ascii(text, len));
		if (key == NULL)
			return NULL;
		Py_XSETREF(*slot, key);
	}
	Py_INCREF(key);
	return key;
}

/* Behind the opening quote. */
static PyObject *string_in(struct in *in, bool is_key)
{
	const char *const text = in->at;
	const char *at = text;
	bool escapes = false, is_ascii = true;
	PyObject *s;
	size_t len;

	for (;;) {
		at += sn_plain_prefix(at, (size_t)(in->end - at));
		if (at == in->end)
			return NULL;
		if (*at == '"')
			break;
		if ((unsigned char)*at >= 0x80) {
			is_ascii = false;
			at++;
		} else if (*at == '\\' && in->end - at >= 2) {
			escapes = true;
			at += 2;
		} else {
			return NULL; /* a control character, say */
		}
	}
	in->at = at + 1;
	len = (size_t)(at - text);
	if (!escapes && is_ascii)
		return is_key ? key_of(in, text, len) : ascii(text, len);
	s = escapes ? escaped(text, len) : PyUnicode_DecodeUTF8(text, (Py_ssize_t)len, NULL);
	return is_key ? shared(in, s) : s;
}

static size_t digits(const char *at, const char *end)
{
	size_t n = 0;

	while (at + n < end && at[n] >= '0' && at[n] <= '9')
		n++;
	return n;
}

/* How long the fraction and the exponent are, 0: there is none. */
static size_t rest_of_float(const char *at, const char *end)
{
	const char *p = at;
	size_t n;

	if (p < end && *p == '.') {
		n = digits(p + 1, end);
		if (n == 0)
			return 0;
		p += 1 + n;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		const size_t sign = p + 1 < end && (p[1] == '-' || p[1] == '+') ? 1 : 0;

		n = digits(p + 1 + sign, end);
		if (n > 0)
			p += 1 + sign + n;
	}
	return (size_t)(p - at);
}

static PyObject *number_in(struct in *in)
{
	const char *const text = in->at;
	const size_t sign = *text == '-' ? 1 : 0;
	size_t n = digits(text + sign, in->end), rest;
	char copy[NUMBER_MAX + 1];
	long long v = 0;
	double d;

	if (n == 0)
		return NULL;
	if (text[sign] == '0')
		n = 1; /* more of them are an error, which what comes next finds */
	rest = rest_of_float(text + sign + n, in->end);
	if (sign + n + rest > NUMBER_MAX)
		return NULL;
	in->at = text + sign + n + rest;
	if (rest == 0 && n <= SHORT_DIGITS) {
		for (size_t i = 0; i < n; i++)
			v = v * 10 + (text[sign + i] - '0');
		return PyLong_FromLongLong(sign != 0 ? -v : v);
	}
	memcpy(copy, text, sign + n + rest);
	copy[sign + n + rest] = '\0';
	if (rest == 0)
		return PyLong_FromString(copy, NULL, 10);
	d = PyOS_string_to_double(copy, NULL, NULL); /* a float it is: it fails for want of memory only */
	return d == -1. && PyErr_Occurred() != NULL ? NULL : PyFloat_FromDouble(d);
}

static PyObject *word_in(struct in *in, const char *word, PyObject *value)
{
	const size_t len = strlen(word);

	if ((size_t)(in->end - in->at) < len || memcmp(in->at, word, len) != 0)
		return NULL;
	in->at += len;
	Py_INCREF(value);
	return value;
}

static bool member_in(struct in *in, PyObject *dict)
{
	PyObject *key = take(in, '"') ? string_in(in, true) : NULL, *value;
	int r = -1;

	if (key == NULL)
		return false;
	value = take(in, ':') ? value_in(in) : NULL;
	if (value != NULL)
		r = PyDict_SetItem(dict, key, value); /* the last of equal ones counts */
	Py_DECREF(key);
	Py_XDECREF(value);
	return r == 0;
}

static bool element_in(struct in *in, PyObject *list)
{
	PyObject *value = value_in(in);
	int r = value != NULL ? PyList_Append(list, value) : -1;

	Py_XDECREF(value);
	return r == 0;
}

/* Behind the opening bracket. */
static PyObject *container_in(struct in *in, bool (*one)(struct in *in, PyObject *c), char end)
{
	PyObject *c = end == '}' ? PyDict_New() : PyList_New(0);
	bool fine = c != NULL && ++in->depth <= DEPTH_MAX;

	if (fine && !take(in, end)) {
		do
			fine = one(in, c);
		while (fine && take(in, ','));
		fine = fine && take(in, end);
	}
	in->depth--;
	if (!fine)
		Py_CLEAR(c);
	return c;
}

static PyObject *value_in(struct in *in)
{
	skip_space(in);
	if (in->at == in->end)
		return NULL;
	switch (*in->at) {
	case '"':
		in->at++;
		return string_in(in, false);
	case '{':
		in->at++;
		return container_in(in, member_in, '}');
	case '[':
		in->at++;
		return container_in(in, element_in, ']');
	case 't':
		return word_in(in, "true", Py_True);
	case 'f':
		return word_in(in, "false", Py_False);
	case 'n':
		return word_in(in, "null", Py_None);
	default:
		return number_in(in);
	}
}

PyObject *decode(const char *text, size_t len)
{
	struct in in = {.at = text, .end = text + len, .memo = len >= LARGE ? PyDict_New() : NULL};
	PyObject *value = len >= LARGE && in.memo == NULL ? NULL : value_in(&in);

	Py_XDECREF(in.memo);
	if (value != NULL) {
		skip_space(&in);
		if (in.at == in.end)
			return value;
		Py_DECREF(value);
	}
	PyErr_Clear(); /* bad UTF-8, say: json's decoder finds it again */
	return NULL;
}

static PyObject *fast_decode(PyObject *self, PyObject *body)
{
	PyObject *value;

	(void)self;
	value = PyBytes_CheckExact(body) ? decode(PyBytes_AS_STRING(body), (size_t)PyBytes_GET_SIZE(body))
					 : NULL;
	if (value == NULL)
		Py_RETURN_NOTIMPLEMENTED;
	return value;
}

PyObject *decode_function(void)
{
	static PyMethodDef def = {"fast_decode", fast_decode, METH_O,
				  "the value of plain JSON, or NotImplemented"};

	return PyCFunction_New(&def, NULL);
}
