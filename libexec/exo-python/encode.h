/* A faster json.dumps for what workitems are made of. Needs the GIL. */
#ifndef ENCODE_H
#define ENCODE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>

/* `fast_encode(value) -> bytes | None`, for RuoteAMQP._json. It answers with exactly the bytes that json's own encoder would make,
 * or with None for anything but plain dicts with str keys, lists, tuples, str, int of 64 bits, finite float, bool and
 * None, for cycles and for depth over 200: json's encoder then does it, or says what is wrong. NULL with an exception
 * set. */
PyObject *encode_function(void);

/* Did the last call of it make these? Then the value is of Python's own types all through: freeing it runs no code of
 * the participant's. */
bool encode_made(const PyObject *bytes);

#endif
