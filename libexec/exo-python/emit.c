/* emit(kind, body): a message that goes to the engine before the reply. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "worker.h"

static PyObject *emit(PyObject *self, PyObject *args)
{
	const char *kind;
	Py_buffer body;
	enum sn_send send;
	int r;

	(void)self;
	if (!PyArg_ParseTuple(args, "sy*", &kind, &body))
		return NULL;
	r = sn_send_parse(kind, &send);
	if (r < 0 || (send != SN_SEND_MESSAGE && send != SN_SEND_LAUNCH) || worker.base.forked) {
		PyBuffer_Release(&body);
		PyErr_Format(PyExc_ValueError, "emit: kind %R, or a forked process",
			     PyTuple_GetItem(args, 0));
		return NULL;
	}
	Py_BEGIN_ALLOW_THREADS r = sn_worker_message(&worker.base, send, body.buf, (size_t)body.len);
	Py_END_ALLOW_THREADS PyBuffer_Release(&body);
	if (r == 0)
		Py_RETURN_NONE;
	errno = -r;
	return PyErr_SetFromErrno(PyExc_OSError);
}

PyObject *emit_function(void)
{
	static PyMethodDef def = {"emit", emit, METH_VARARGS,
				  "emit(kind, body): into the spool, before the reply"};

	return PyCFunction_New(&def, NULL);
}
