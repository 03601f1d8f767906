/* JSON for people: indented, every string and number byte for byte as it stands (a parser in between would lose large
 * integers), only what is hidden in it (sn_pretty_hidden) is escaped. */
#ifndef SN_PRETTY_H
#define SN_PRETTY_H

#include "base/buf.h"

/* Appends text, which must be JSON (sn_json_object() >= 0 or -ENOTSUP), indented by two blanks. 0 or -E2BIG. */
int sn_pretty(const char *text, size_t len, struct sn_buf *out) SN_CHECK;
/* Appends text in one line for people: C0, what is hidden, and bytes that are no UTF-8 as \xNN. */
int sn_pretty_line(const char *text, size_t len, struct sn_buf *out) SN_CHECK;
/* The bytes of the character at s, and the character, if it is one that a terminal obeys (DEL, C1) or that is invisible and
 * changes what people see around it (direction, line ends, marks of no width); else 0. C0 and broken UTF-8 are the caller's. */
size_t sn_pretty_hidden(const char *s, size_t left, unsigned *ret_character) SN_CHECK;

#endif
