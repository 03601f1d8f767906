/* The header of a result (docs/SPOOL.md, section 6), as bytes. */
#ifndef SN_RESULT_H
#define SN_RESULT_H

#include "base/buf.h"
#include "base/clock.h"
#include "data/name.h"

enum sn_outcome { SN_OK, SN_ERROR_REPLY, SN_CRASH, SN_TIMED_OUT, SN_CANCELLED, SN_INVALID, SN_OUTCOMES };
enum sn_send { SN_SEND_REPLY, SN_SEND_NOTHING, SN_SEND_MESSAGE, SN_SEND_LAUNCH, SN_SENDS };
enum { SN_RESULT_HEADER_MAX = 1024 };

struct sn_result {
	enum sn_outcome outcome;
	enum sn_send send;
	unsigned attempt;
	int64_t started_us, finished_us;
	size_t length;		 /* of the body */
	char sha256[65];	 /* of the body, or "" */
	char name[SN_NAME_SIZE]; /* of the workitem; "" only in what is read */
	unsigned message;	 /* the number of one sent on the way; 0: the answer */
};

const char *sn_outcome_name(enum sn_outcome o);
const char *sn_send_name(enum sn_send s);
/* 0 or -EINVAL. */
int sn_outcome_parse(const char *word, enum sn_outcome *ret) SN_CHECK;
int sn_send_parse(const char *word, enum sn_send *ret) SN_CHECK;
/* Appends the header and the empty line. */
int sn_result_format(const struct sn_result *res, struct sn_buf *out) SN_CHECK;
/* Reads the header that text begins with. 0, and where the body begins in *ret_body_at; -EAGAIN: its end is not in these
 * len bytes (of SN_RESULT_HEADER_MAX at most); -EINVAL: this is none. */
int sn_result_parse_head(const char *text, size_t len, struct sn_result *ret, size_t *ret_body_at) SN_CHECK;
/* Reads a header with nothing but its body behind it. 0; -EINVAL for what is malformed, -EBADMSG when the body's length is
 * not that of the header. The digest is not compared here (sn_result_verify in spool/result.h). */
int sn_result_parse(const char *text, size_t len, struct sn_result *ret, size_t *ret_body_at) SN_CHECK;

#endif
