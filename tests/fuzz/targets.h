/* What is fuzzed: a table, each row a reader of bytes that come from others, with seeds, and what must hold of any input. */
#ifndef SN_FUZZ_TARGETS_H
#define SN_FUZZ_TARGETS_H

#include "base/buf.h"

struct fuzz_target {
	const char *name;
	/* The bytes end with a NUL that does not count. */
	void (*run)(const char *data, size_t len);
	const char *const *seeds; /* NULL-terminated */
};

extern const struct fuzz_target FUZZ_TARGETS[]; /* ends with an empty row */

/* A promise is broken: says which, keeps the input, ends. */
void fuzz_fail(const char *what) SN_NORETURN;

#endif
