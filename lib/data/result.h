/* The header of a result file (docs/SPOOL.md, section 6), as bytes. */
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
	size_t length;	 /* of the body */
	char sha256[65]; /* of the body, or "" */
	/* Of the workitem, or "": the file may have been another one's before (retire.4). */
	char name[SN_NAME_SIZE];
};

const char *sn_outcome_name(enum sn_outcome o);
const char *sn_send_name(enum sn_send s);
/* 0 or -EINVAL. */
int sn_outcome_parse(const char *word, enum sn_outcome *ret) SN_CHECK;
int sn_send_parse(const char *word, enum sn_send *ret) SN_CHECK;
/* Appends the header and the empty line. */
int sn_result_format(const struct sn_result *res, struct sn_buf *out) SN_CHECK;
/* Reads a header. 0 and the body's place in *ret_body_at; -EINVAL for what is malformed, -EBADMSG when the body's
 * length is not that of the header. The digest is not compared here (sn_result_verify in spool/result.h). */
int sn_result_parse(const char *text, size_t len, struct sn_result *ret, size_t *ret_body_at) SN_CHECK;

#endif
