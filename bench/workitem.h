/* workitem.h - builds ruote workitems and reads the few members wiload checks. */
#ifndef WORKITEM_H
#define WORKITEM_H

#include <stdbool.h>
#include <stddef.h>

/* A ready-made JSON workitem. Only the sequence number inside fei.wfid differs
 * from one message to the next, so it is patched in place. */
struct workitem_template {
	char *json;
	size_t len;
	char *seq_digits;    /* points into json: WORKITEM_SEQ_DIGITS digits */
	char run_prefix[64]; /* fei.wfid without the sequence number */
};

enum { WORKITEM_SEQ_DIGITS = 9, WORKITEM_MIN_SIZE = 768 };

/* Builds a workitem of exactly `size` bytes (not less than WORKITEM_MIN_SIZE)
 * for `participant`, with a run prefix unique to this process. False: no
 * memory, or the size is too small for this participant name. */
bool workitem_build(struct workitem_template *tpl, const char *participant, size_t size);
void workitem_set_seq(struct workitem_template *tpl, size_t seq);
void workitem_free(struct workitem_template *tpl);

enum workitem_kind {
	WORKITEM_OURS,	    /* reply to a workitem of this run */
	WORKITEM_FOREIGN,   /* a workitem, but with another run's fei.wfid */
	WORKITEM_MALFORMED, /* not JSON, or no fei.wfid */
};

struct workitem_reply {
	enum workitem_kind kind;
	size_t seq;	  /* valid if kind is WORKITEM_OURS */
	bool result_true; /* fields.__result__ is true */
	bool has_error;	  /* the participant reported an exception in "error" */
};

struct workitem_reply workitem_parse(const struct workitem_template *tpl, const char *json, size_t len);

/* Finds member `key` of the JSON object in [*json, *json + *len) and narrows
 * both to its raw value. False: not an object, or no such member. The scan
 * honours strings, escapes and nesting but does not validate the text. */
bool json_member(const char **json, size_t *len, const char *key);

#endif
