/* JSON for people: indented, every string and number byte for byte as it stands (a parser in between would lose large
 * integers), only control characters that a terminal would obey are escaped. */
#ifndef SN_PRETTY_H
#define SN_PRETTY_H

#include "base/buf.h"

/* Appends text, which must be JSON (sn_json_object() >= 0 or -ENOTSUP), indented by two blanks. 0 or -E2BIG. */
int sn_pretty(const char *text, size_t len, struct sn_buf *out) SN_CHECK;
/* Appends text in one line for people: control characters (C0, DEL, C1) and bytes that are no UTF-8 as \xNN. */
int sn_pretty_line(const char *text, size_t len, struct sn_buf *out) SN_CHECK;

#endif
