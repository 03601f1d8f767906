#include "encode.h"

#include <stdbool.h>
#include <string.h>

#include "base/plain.h"

enum { DEPTH_MAX = 200, FIRST_BYTES = 4096 };
static const size_t BYTES_MAX = (size_t)1 << 30;

struct out {
	PyObject *bytes; /* what is made, with room behind it */
	char *data;	 /* its bytes */
	size_t len, cap;
	const PyObject *open[DEPTH_MAX]; /* the containers around the value: none may come again */
	int depth;
};

/* What was made last, NULL if that was not plain: only to compare with, it may be gone. Under the GIL. */
static const PyObject *made;

static bool value_out(struct out *o, PyObject *v);

static char *grow(struct out *o, size_t len)
{
	size_t cap = o->cap;

	if (len > BYTES_MAX - o->len)
		return NULL;
	while (cap < o->len + len)
		cap *= 2;
	if (_PyBytes_Resize(&o->bytes, (Py_ssize_t)cap) < 0)
		return NULL;
	o->data = PyBytes_AS_STRING(o->bytes);
	o->cap = cap;
	return o->data + o->len;
}

static inline char *reserve(struct out *o, size_t len)
{
	return len <= o->cap - o->len ? o->data + o->len : grow(o, len);
}

static inline bool add(struct out *o, const char *text, size_t len)
{
	char *at = reserve(o, len);

	if (at == NULL)
		return false;
	memcpy(at, text, len);
	o->len += len;
	return true;
}

/* How json writes each byte: 0 as it is, else the letter behind the backslash, 'u' for a number. */
static char escape_of(unsigned char c)
{
	static const char CONTROL[32] = "uuuuuuuubtnufruuuuuuuuuuuuuuuuuu";

	if (c < 0x20)
		return CONTROL[c];
	return c == '"' || c == '\\' ? (char)c : 0;
}

static char *escape(char *at, unsigned char c)
{
	static const char HEX[] = "0123456789abcdef";
	const char e = escape_of(c);

	if (e == 0) {
		*at++ = (char)c;
		return at;
	}
	*at++ = '\\';
	*at++ = e;
	if (e == 'u') {
		memcpy(at, "00", 2);
		at[2] = HEX[c >> 4];
		at[3] = HEX[c & 15];
		at += 4;
	}
	return at;
}

/* The rest of a string that is not all plain. */
static bool escaped_out(struct out *o, const char *text, size_t size)
{
	char *at;
	size_t n;

	if (size > BYTES_MAX / 6 || (at = reserve(o, 6 * size)) == NULL)
		return false;
	while (size > 0) {
		n = sn_plain_prefix(text, size);
		memcpy(at, text, n);
		at += n;
		text += n;
		size -= n;
		if (size > 0) {
			at = escape(at, (unsigned char)*text++);
			size--;
		}
	}
	o->len = (size_t)(at - o->data);
	return true;
}

static bool string_out(struct out *o, PyObject *s)
{
	Py_ssize_t length = 0;
	const char *text = PyUnicode_AsUTF8AndSize(s, &length);
	const size_t size = (size_t)length;
	size_t n;
	char *at;

	if (text == NULL || size > BYTES_MAX || (at = reserve(o, size + 2)) == NULL)
		return false;
	n = sn_plain_prefix(text, size);
	*at = '"';
	memcpy(at + 1, text, n);
	o->len += 1 + n;
	return (n == size || escaped_out(o, text + n, size - n)) && add(o, "\"", 1);
}

static bool int_out(struct out *o, PyObject *v)
{
	char digits[24], *at = digits + sizeof digits;
	int overflow = 0;
	long long number = PyLong_AsLongLongAndOverflow(v, &overflow);
	unsigned long long rest = number < 0 ? 0 - (unsigned long long)number : (unsigned long long)number;

	if (overflow != 0 || (number == -1 && PyErr_Occurred() != NULL))
		return false;
	do
		*--at = (char)('0' + rest % 10);
	while ((rest /= 10) > 0);
	if (number < 0)
		*--at = '-';
	return add(o, at, (size_t)(digits + sizeof digits - at));
}

static bool float_out(struct out *o, PyObject *v)
{
	double number = PyFloat_AS_DOUBLE(v);
	char *text;
	bool fine;

	if (number - number != 0) /* infinite, or no number */
		return false;
	text = PyOS_double_to_string(number, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
	fine = text != NULL && add(o, text, strlen(text));
	PyMem_Free(text);
	return fine;
}

static bool enter(struct out *o, const PyObject *v)
{
	for (int i = 0; i < o->depth; i++) {
		if (o->open[i] == v)
			return false;
	}
	if (o->depth == DEPTH_MAX)
		return false;
	o->open[o->depth++] = v;
	return true;
}

static bool dict_out(struct out *o, PyObject *v)
{
	PyObject *key, *value;
	Py_ssize_t pos = 0;
	bool first = true;

	if (!enter(o, v) || !add(o, "{", 1))
		return false;
	while (PyDict_Next(v, &pos, &key,
			   &value)) { /* runs no Python code, so that nothing changes meanwhile */
		if (!PyUnicode_CheckExact(key) || (!first && !add(o, ",", 1)) || !string_out(o, key) ||
		    !add(o, ":", 1) || !value_out(o, value))
			return false;
		first = false;
	}
	o->depth--;
	return add(o, "}", 1);
}

static bool list_out(struct out *o, PyObject *v)
{
	const Py_ssize_t count = PySequence_Fast_GET_SIZE(v);

	if (!enter(o, v) || !add(o, "[", 1))
		return false;
	for (Py_ssize_t i = 0; i < count; i++) {
		if ((i > 0 && !add(o, ",", 1)) || !value_out(o, PySequence_Fast_GET_ITEM(v, i)))
			return false;
	}
	o->depth--;
	return add(o, "]", 1);
}

static bool value_out(struct out *o, PyObject *v)
{
	if (PyUnicode_CheckExact(v))
		return string_out(o, v);
	if (PyDict_CheckExact(v))
		return dict_out(o, v);
	if (PyList_CheckExact(v) || PyTuple_CheckExact(v))
		return list_out(o, v);
	if (v == Py_None)
		return add(o, "null", 4);
	if (v == Py_True)
		return add(o, "true", 4);
	if (v == Py_False)
		return add(o, "false", 5);
	if (PyLong_CheckExact(v))
		return int_out(o, v);
	return PyFloat_CheckExact(v) && float_out(o, v);
}

static PyObject *fast_encode(PyObject *self, PyObject *value)
{
	struct out o; /* not zeroed: `open` is large */

	(void)self;
	made = NULL;
	o.bytes = PyBytes_FromStringAndSize(NULL, FIRST_BYTES);
	if (o.bytes == NULL)
		return NULL;
	o.data = PyBytes_AS_STRING(o.bytes);
	o.len = 0;
	o.cap = FIRST_BYTES;
	o.depth = 0;
	if (value_out(&o, value)) {
		(void)_PyBytes_Resize(&o.bytes, (Py_ssize_t)o.len); /* NULL if it fails */
		made = o.bytes;
		return o.bytes;
	}
	Py_XDECREF(o.bytes);
	PyErr_Clear(); /* a lone surrogate, say: json's encoder decides */
	Py_RETURN_NONE;
}

bool encode_made(const PyObject *bytes)
{
	return bytes == made;
}

PyObject *encode_function(void)
{
	static PyMethodDef def = {"fast_encode", fast_encode, METH_O, "bytes of plain JSON, or None"};

	return PyCFunction_New(&def, NULL);
}
