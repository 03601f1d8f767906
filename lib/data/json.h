/* A strict check of JSON text (RFC 8259) that allocates nothing, and a look-up of members by span. cJSON accepts
 * trailing junk and bad UTF-8 and costs ten times as much on a large body; it is used (workitem.c) on the
 * few hundred bytes of `fei` only.
 *
 * Refused beyond the RFC: depth over SN_JSON_DEPTH, numbers beyond a double (the engine drops them). */
#ifndef SN_JSON_H
#define SN_JSON_H

#include "base/base.h"

enum { SN_JSON_DEPTH = 400 };

struct sn_span {
	const char *data; /* borrowed from the text; NULL: absent */
	size_t len;
};

/* Checks the whole text. If it is an object, each keys[i] found at its top level (escapes decoded; the last one,
 * as every parser takes it) has its raw value in ret_values[i]. 0; -EBADMSG: no JSON; -ENOTSUP: JSON, but no object. */
int sn_json_object(const char *text, size_t len, const char *const *keys, struct sn_span *ret_values,
		   size_t count) SN_CHECK;
/* For JSON that was checked. The first element of an array (`element` zeroed before), or the one behind `element`.
 * False: there is none, or it is no array. */
bool sn_json_next(struct sn_span array, struct sn_span *element) SN_CHECK;
/* The same for the members of an object: raw key with its quotes, and value. */
bool sn_json_member(struct sn_span object, struct sn_span *key, struct sn_span *value) SN_CHECK;
/* A string decoded, cut between characters where ret_text is too small, NUL-terminated (it may hold others). Its length; 0
 * and "" for what is no string. Surrogates without their other half become '?'. */
size_t sn_json_text(struct sn_span string, char *ret_text, size_t size);
/* A whole number, `otherwise` for what is none or beyond a long. */
long sn_json_number(struct sn_span number, long otherwise) SN_CHECK;
bool sn_json_is(struct sn_span value, const char *word) SN_CHECK; /* byte for byte: true, null, "text" */

#endif
