/* A faster json.loads for what workitems are made of. Needs the GIL. */
#ifndef DECODE_H
#define DECODE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* The very objects that json's own decoder would make; a new reference. NULL, without an exception, for whatever else
 * than plain JSON it finds: json's decoder then does it, or says what is wrong. That is bad JSON and bad UTF-8, NaN and
 * Infinity, lone surrogates, numbers of over 40 characters, depth over 200, and no memory. */
PyObject *decode(const char *text, size_t len);

/* `fast_decode(bytes) -> value | NotImplemented`, for RuoteAMQP._json. NULL with an exception set. */
PyObject *decode_function(void);

#endif
