/* What SkyNET reads of a workitem: fei, forget, cancel. Bodies are forwarded byte for byte and never printed from a
 * parsed form. */
#ifndef SN_WORKITEM_H
#define SN_WORKITEM_H

#include "base/buf.h"
#include "data/json.h"

enum { SN_FEI_MAX = 255 };

enum sn_workitem_kind {
	SN_WORKITEM_WORK,   /* fei and fields are objects */
	SN_WORKITEM_CANCEL, /* "cancel": true */
	SN_WORKITEM_JUNK,   /* anything else; see `reason` */
};

struct sn_fei { /* decoded; empty where absent or no string; cut at SN_FEI_MAX */
	char engine_id[SN_FEI_MAX + 1];
	char wfid[SN_FEI_MAX + 1];
	char subid[SN_FEI_MAX + 1];
	char expid[SN_FEI_MAX + 1];
};

struct sn_workitem {
	enum sn_workitem_kind kind;
	struct sn_fei fei;
	bool fei_is_object;
	bool forget;	       /* fields.params.forget is truthy, as Python reads it: no reply is sent */
	struct sn_span fields; /* raw, borrowed from the text */
	struct sn_span fei_raw;
	const char *reason; /* of SN_WORKITEM_JUNK, a constant */
};

/* Reads text. Cannot fail: what is no workitem is JUNK with a reason. */
void sn_workitem_read(const char *text, size_t len, struct sn_workitem *ret);
/* The members of a fei; all empty if raw is no object. */
void sn_fei_read(struct sn_span raw, struct sn_fei *ret);
/* Do both name the same unit of work? Never if there is no wfid, or a member was cut. */
bool sn_fei_same(const struct sn_fei *a, const struct sn_fei *b);
/* Is `reply` (a body) an answer to the workitem with this fei (raw JSON)? 0; -EBADMSG no JSON object; -EPROTO no
 * object in fields; -EXDEV another fei. `*ret_why` is a constant text. */
int sn_workitem_check_reply(struct sn_span fei_raw, const char *reply, size_t len,
			    const char **ret_why) SN_CHECK;
/* Appends the workitem with `"error":{class,message,trace:[]}` spliced in: no byte of the rest changes.
 * 0, -E2BIG, -EBADMSG if text is no object. trace: `count` strings. */
struct sn_error_reply {
	const char *class_name, *message;
	const char *const *trace;
	size_t count;
};
int sn_workitem_add_error(const char *text, size_t len, const struct sn_error_reply *e,
			  struct sn_buf *out) SN_CHECK;
/* Appends the workitem with fields.__result__ true or false, the old value replaced in its place: no byte of the rest
 * changes. Of several `fields` or `__result__` the last counts, as with every parser. 0, -E2BIG, -EBADMSG if text is
 * no JSON object, -EPROTO if there is no object in fields. */
int sn_workitem_set_result(const char *text, size_t len, bool result, struct sn_buf *out) SN_CHECK;

#endif
