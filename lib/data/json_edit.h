/* Changing JSON without touching a byte of the rest: a parser in between would lose large integers. */
#ifndef SN_JSON_EDIT_H
#define SN_JSON_EDIT_H

#include "base/buf.h"
#include "data/json.h"

enum { SN_JSON_PATH_MAX = 32 };

/* Appends `object` (checked; anything else counts as {}) with the member that `path` leads to set to `value`, raw JSON. What
 * is missing on the way, or no object, becomes one. Members of the same name before it go. 0 or -E2BIG. */
int sn_json_set(struct sn_span object, const char *const *path, size_t depth, struct sn_span value,
		struct sn_buf *out) SN_CHECK;

#endif
