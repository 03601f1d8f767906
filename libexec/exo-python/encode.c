#include "encode.h"

#include <stdbool.h>
#include <string.h>

enum { DEPTH_MAX = 200, FIRST_BYTES = 4096 };
static const size_t BYTES_MAX = (size_t)1 << 30;

struct out {
	char *data;
	size_t len, cap;
	const PyObject *open[DEPTH_MAX]; /* the containers around the value: none may come again */
	int depth;
};

static bool value_out(struct out *o, PyObject *v);

static char *reserve(struct out *o, size_t len)
{
	size_t cap = o->cap > 0 ? o->cap : FIRST_BYTES;
	char *bigger;

	if (len > BYTES_MAX - o->len)
		return NULL;
	while (cap < o->len + len)
		cap *= 2;
	if (cap != o->cap) {
		bigger = PyMem_RawRealloc(o->data, cap);
		if (bigger == NULL)
			return NULL;
		o->data = bigger;
		o->cap = cap;
	}
	return o->data + o->len;
}

static bool add(struct out *o, const char *text, size_t len)
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

static bool string_out(struct out *o, PyObject *s)
{
	static const char HEX[] = "0123456789abcdef";
	Py_ssize_t size;
	const char *text = PyUnicode_AsUTF8AndSize(s, &size);
	char *at;

	if (text == NULL || (size_t)size > BYTES_MAX / 6 || (at = reserve(o, 6 * (size_t)size + 2)) == NULL)
		return false;
	*at++ = '"';
	for (Py_ssize_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];
		char e = escape_of(c);

		if (e == 0) {
			*at++ = (char)c;
			continue;
		}
		*at++ = '\\';
		*at++ = e;
		if (e == 'u') {
			memcpy(at, "00", 2);
			at[2] = HEX[c >> 4];
			at[3] = HEX[c & 15];
			at += 4;
		}
	}
	*at++ = '"';
	o->len = (size_t)(at - o->data);
	return true;
}

static bool int_out(struct out *o, PyObject *v)
{
	char digits[24];
	int overflow = 0, n;
	long long number = PyLong_AsLongLongAndOverflow(v, &overflow);

	if (overflow != 0 || (number == -1 && PyErr_Occurred() != NULL))
		return false;
	n = snprintf(digits, sizeof digits, "%lld", number);
	return add(o, digits, (size_t)n);
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

static PyObject *fast(PyObject *self, PyObject *value)
{
	struct out o = {.depth = 0};
	PyObject *bytes;

	(void)self;
	if (!value_out(&o, value)) {
		PyMem_RawFree(o.data);
		PyErr_Clear(); /* a lone surrogate, say: json's encoder decides */
		Py_RETURN_NONE;
	}
	bytes = PyBytes_FromStringAndSize(o.data, (Py_ssize_t)o.len);
	PyMem_RawFree(o.data);
	return bytes;
}

int encode_install(void)
{
	static PyMethodDef def = {"fast", fast, METH_O, "bytes of plain JSON, or None"};
	PyObject *module = PyImport_ImportModule("RuoteAMQP._json");
	PyObject *function = module != NULL ? PyCFunction_New(&def, NULL) : NULL;
	int r = function != NULL ? PyObject_SetAttrString(module, "fast", function) : -1;

	Py_XDECREF(function);
	Py_XDECREF(module);
	return r;
}
