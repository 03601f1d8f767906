/* The client side of docs/CONTROL.md: asks the exo of participants, several at once, what they are doing.
 *
 *	struct sn_control c;
 *	if ((r = sn_control_open(&home, "P1", "status wait=100", &c)) == 0)
 *		sn_control_run(&c, 1, until_ns, on_line, arg);
 *	… c.end, c.code, c.why …
 *	sn_control_close(&c);
 *
 * The socket is the participant's, so what comes out of it is hostile: a line is JSON and UTF-8 when it is handed over,
 * lines and the sum of them are bounded, and the time is the caller's. Strings in it may hold anything: print them with
 * sn_control_print(). */
#ifndef SN_CONTROL_H
#define SN_CONTROL_H

#include "base/buf.h"
#include "data/json.h"
#include "data/name.h"
#include "svc/home.h"

enum {
	SN_CONTROL_REQUEST_MAX = 4096,
	SN_CONTROL_LINE_MAX = 128 * 1024,
	SN_CONTROL_SUM_MAX = 16 * 1024 * 1024,
	SN_CONTROL_WHY_SIZE = 256,
	SN_CONTROL_ALIVE_MS = 1000, /* an exo that has said nothing for so long hangs */
};

enum sn_control_end {
	SN_CONTROL_SILENT, /* the time was over and it had not said a word */
	SN_CONTROL_CUT,	   /* the time was over in the middle */
	SN_CONTROL_BROKEN, /* it closed without an end, or sent what is none of the protocol: `why` */
	SN_CONTROL_ENDED,  /* `end`, or `error` with its text in `why`; `code` is its code */
};

struct sn_control {
	char participant[65];
	enum sn_control_end end;
	int code;		       /* of SN_CONTROL_ENDED: an exit code of docs/HOME.md */
	char why[SN_CONTROL_WHY_SIZE]; /* decoded, may hold control characters; "" nothing */
	size_t sent;		       /* bytes of the request; 0: it never heard of it */
	/* private */
	int fd;	  /* -1: over */
	int path; /* the socket, by O_PATH */
	uid_t owner;
	bool connected;
	char *request;
	size_t sum, at;
	struct sn_buf in;
};

/* A line: `type` and the whole of it. `error` and `end` are not handed over: they are in struct sn_control. */
typedef void sn_control_line(void *arg, struct sn_control *c, const char *type, struct sn_span line);

/* Begins an enquiry: `request` is a line of the protocol without its newline. 0; -ENOENT: no socket; -ECONNREFUSED: nobody
 * listens on it; -EACCES; -EPERM: what is there is not the participant's socket; -EINVAL: no such request can be made;
 * -errno. Close only after success. */
int sn_control_open(const struct sn_home *h, const char *participant, const char *request,
		    struct sn_control *ret) SN_CHECK;
/* Until all have ended, or until `until_ns` (monotonic). `each` may be NULL. */
void sn_control_run(struct sn_control *list, size_t count, int64_t until_ns, sn_control_line *each,
		    void *arg);
void sn_control_close(struct sn_control *c);
/* May it stand in a request as KEY: not empty, no blank, '=' or control character, not too long. "-" may not: it means
 * something that only the bridge has a right to. */
bool sn_control_key_valid(const char *key);
/* Prints `before` and a value in one line: a string decoded, other JSON as it is, in both what a terminal would obey or not show
 * escaped (svc/pretty.h); "-" for none and for an empty string. */
void sn_control_print(const char *before, struct sn_span value);
/* Prints JSON in one line, for programs: in its strings only what a terminal would obey is escaped. */
void sn_control_print_json(struct sn_span json);

#endif
