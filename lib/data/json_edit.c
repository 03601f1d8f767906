#include "data/json_edit.h"

#include <stdlib.h>

#include "base/mem.h"

static bool is_key(struct sn_span key, const char *want)
{
	SN_AUTOFREE char *text = sn_malloc(key.len + 1);

	return sn_json_text(key, text, key.len + 1) == strlen(want) && memcmp(text, want, strlen(want)) == 0;
}

static int add_span(struct sn_buf *out, struct sn_span s)
{
	return sn_buf_add(out, s.data, s.len);
}

int sn_json_set(struct sn_span object, const char *const *path, size_t depth, struct sn_span value,
		struct sn_buf *out)
{
	struct sn_span key, member = {0}, old = {0};
	int r;

	if (depth == 0)
		return add_span(out, value);
	r = sn_buf_add(out, "{", 1);
	while (r == 0 && sn_json_member(object, &key, &member)) {
		if (is_key(key, path[0])) {
			old = member;
			continue;
		}
		r = add_span(out, key);
		if (r == 0)
			r = sn_buf_add(out, ":", 1);
		if (r == 0)
			r = add_span(out, member);
		if (r == 0)
			r = sn_buf_add(out, ",", 1);
	}
	if (r == 0)
		r = sn_buf_add_json(out, path[0], strlen(path[0]));
	if (r == 0)
		r = sn_buf_add(out, ":", 1);
	if (r == 0)
		r = sn_json_set(old, path + 1, depth - 1, value, out);
	return r == 0 ? sn_buf_add(out, "}", 1) : r;
}
