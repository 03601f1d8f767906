#include "data/workitem.h"

#include <cjson/cJSON.h>
#include <stdlib.h>

static bool is_object(struct sn_span v)
{
	return v.data != NULL && v.data[0] == '{';
}

static bool is_true(struct sn_span v)
{
	return v.data != NULL && v.len == 4 && memcmp(v.data, "true", 4) == 0;
}

static void cut(const char *text, size_t len, char out[SN_FEI_MAX + 1])
{
	len = len < SN_FEI_MAX ? len : SN_FEI_MAX;
	memcpy(out, text, len);
	out[len] = '\0';
}

/* A member, decoded; what is no string is empty. False: it has half a surrogate pair. */
static bool take(struct sn_span raw, char out[SN_FEI_MAX + 1])
{
	cJSON *string;

	if (raw.data == NULL || raw.data[0] != '"')
		return true;
	if (memchr(raw.data, '\\', raw.len) == NULL) { /* as every engine writes it */
		cut(raw.data + 1, raw.len - 2, out);
		return true;
	}
	string = cJSON_ParseWithLength(raw.data, raw.len);
	if (string == NULL)
		return false;
	cut(string->valuestring, strlen(string->valuestring), out);
	cJSON_Delete(string);
	return true;
}

void sn_fei_read(struct sn_span raw, struct sn_fei *ret)
{
	static const char *const KEYS[] = {"engine_id", "wfid", "subid", "expid"};
	struct sn_span v[4];

	*ret = (struct sn_fei){0};
	if (!is_object(raw) || raw.len > 65536 || sn_json_object(raw.data, raw.len, KEYS, v, 4) < 0)
		return;
	if (!take(v[0], ret->engine_id) || !take(v[1], ret->wfid) || !take(v[2], ret->subid) ||
	    !take(v[3], ret->expid))
		*ret = (struct sn_fei){0};
}

/* What was cut may differ behind the cut. */
static bool same_part(const char *a, const char *b)
{
	return strcmp(a, b) == 0 && strlen(a) < SN_FEI_MAX;
}

bool sn_fei_same(const struct sn_fei *a, const struct sn_fei *b)
{
	return a->wfid[0] != '\0' && same_part(a->wfid, b->wfid) && same_part(a->expid, b->expid) &&
	       same_part(a->subid, b->subid) && same_part(a->engine_id, b->engine_id);
}

/* As Python's bool() has it: the worker decides with that whether a reply is sent, and exo and the bridge must not answer
 * in its place where it would not have. A process definition in XML says "true". */
static bool is_truthy(struct sn_span v)
{
	switch (v.data[0]) {
	case 't':
		return true;
	case 'f':
	case 'n':
		return false;
	case '"':
		return v.len > 2;
	case '{':
	case '[':
		return strspn(v.data + 1, " \t\r\n") < v.len - 2; /* bounded by its own closing bracket */
	default:
		return strtod(v.data, NULL) != 0; /* bounded by the bracket of the object that it is in */
	}
}

static bool has(struct sn_span v, const char *word)
{
	return memmem(v.data, v.len, word, strlen(word)) != NULL;
}

/* The key "forget" may be written with escapes, though no engine does. */
static bool may_forget(struct sn_span fields)
{
	if (has(fields, "forget"))
		return true;
	return memchr(fields.data, '\\', fields.len) != NULL &&
	       (has(fields, "\\u006") || has(fields, "\\u007"));
}

static bool wants_forget(struct sn_span fields)
{
	static const char *const PARAMS[] = {"params"}, *const FORGET[] = {"forget"};
	struct sn_span params, forget;

	/* The word is rare: most workitems are spared the second look. */
	if (!may_forget(fields))
		return false;
	if (sn_json_object(fields.data, fields.len, PARAMS, &params, 1) < 0 || !is_object(params))
		return false;
	if (sn_json_object(params.data, params.len, FORGET, &forget, 1) < 0 || forget.data == NULL)
		return false;
	return is_truthy(forget);
}

void sn_workitem_read(const char *text, size_t len, struct sn_workitem *ret)
{
	static const char *const KEYS[] = {"fei", "fields", "cancel"};
	struct sn_span v[3];
	int r = sn_json_object(text, len, KEYS, v, 3);

	*ret = (struct sn_workitem){.kind = SN_WORKITEM_JUNK};
	if (r < 0) {
		ret->reason = r == -ENOTSUP ? "JSON, but not an object" : "not JSON";
		return;
	}
	ret->fei_raw = v[0];
	ret->fields = v[1];
	ret->fei_is_object = is_object(ret->fei_raw);
	sn_fei_read(ret->fei_raw, &ret->fei);
	if (is_true(v[2])) {
		ret->kind = SN_WORKITEM_CANCEL;
	} else if (!ret->fei_is_object) {
		ret->reason = "no object in fei";
	} else if (!is_object(v[1])) {
		ret->reason = "no object in fields";
	} else {
		ret->kind = SN_WORKITEM_WORK;
		ret->forget = wants_forget(v[1]);
	}
}

static bool same_fei(struct sn_span a, struct sn_span b)
{
	cJSON *x, *y;
	bool same;

	if (a.len == b.len && memcmp(a.data, b.data, a.len) == 0)
		return true;
	if (a.len > 65536 || b.len > 65536)
		return false;
	if (has(a, "\\u0000") || has(b, "\\u0000")) /* cJSON cuts there: "wfid\u0000" would do for "wfid" */
		return false;
	x = cJSON_ParseWithLength(a.data, a.len);
	y = cJSON_ParseWithLength(b.data, b.len);
	same = x != NULL && y != NULL && cJSON_Compare(x, y, true);
	cJSON_Delete(x);
	cJSON_Delete(y);
	return same;
}

int sn_workitem_check_reply(struct sn_span fei_raw, const char *reply, size_t len, const char **ret_why)
{
	static const char *const KEYS[] = {"fei", "fields"};
	struct sn_span v[2];

	if (sn_json_object(reply, len, KEYS, v, 2) < 0) {
		*ret_why = "the reply is not a JSON object";
		return -EBADMSG;
	}
	if (!is_object(v[1])) {
		*ret_why = "the reply has no object in fields";
		return -EPROTO;
	}
	if (!is_object(v[0]) || !same_fei(fei_raw, v[0])) {
		*ret_why = "the reply has another fei";
		return -EXDEV;
	}
	return 0;
}

static const char SPACE[] = " \t\r\n";

/* len without the white space at the end. */
static size_t trim_end(const char *text, size_t len)
{
	while (len > 0 && text[len - 1] != '\0' && strchr(SPACE, text[len - 1]) != NULL)
		len--;
	return len;
}

int sn_workitem_add_error(const char *text, size_t len, const struct sn_error_reply *e, struct sn_buf *out)
{
	size_t members;
	int r;

	len = trim_end(text, len);
	if (len < 2 || text[len - 1] != '}' || text[strspn(text, SPACE)] != '{')
		return -EBADMSG;
	members = trim_end(text, len - 1);
	if ((r = sn_buf_add(out, text, len - 1)) < 0 ||
	    (text[members - 1] != '{' && (r = sn_buf_adds(out, ",")) < 0) ||
	    (r = sn_buf_adds(out, "\"error\":{\"class\":")) < 0 ||
	    (r = sn_buf_add_json(out, e->class_name, strlen(e->class_name))) < 0 ||
	    (r = sn_buf_adds(out, ",\"message\":")) < 0 ||
	    (r = sn_buf_add_json(out, e->message, strlen(e->message))) < 0 ||
	    (r = sn_buf_adds(out, ",\"trace\":[")) < 0)
		return r;
	for (size_t i = 0; i < e->count; i++) {
		if ((i > 0 && (r = sn_buf_add(out, ",", 1)) < 0) ||
		    (r = sn_buf_add_json(out, e->trace[i], strlen(e->trace[i]))) < 0)
			return r;
	}
	return sn_buf_adds(out, "]}}");
}

/* Is there a member in front of the bracket that closes this object? */
static bool has_members(struct sn_span object)
{
	return object.data[trim_end(object.data, object.len - 1) - 1] != '{';
}

int sn_workitem_set_result(const char *text, size_t len, bool result, struct sn_buf *out)
{
	static const char *const FIELDS[] = {"fields"}, *const RESULT[] = {"__result__"};
	const char *value = result ? "true" : "false", *from, *to;
	struct sn_span fields, old;
	int r;

	if (sn_json_object(text, len, FIELDS, &fields, 1) < 0)
		return -EBADMSG;
	if (!is_object(fields) || sn_json_object(fields.data, fields.len, RESULT, &old, 1) < 0)
		return -EPROTO;
	from = old.data != NULL ? old.data : fields.data + fields.len - 1;
	to = old.data != NULL ? old.data + old.len : from;
	if ((r = sn_buf_add(out, text, (size_t)(from - text))) < 0 ||
	    (old.data == NULL &&
	     (r = sn_buf_adds(out, has_members(fields) ? ",\"__result__\":" : "\"__result__\":")) < 0) ||
	    (r = sn_buf_adds(out, value)) < 0)
		return r;
	return sn_buf_add(out, to, (size_t)(text + len - to));
}
