/* The control socket (docs/CONTROL.md): who is connected, what they asked, what they are told.
 *
 * A client is one connection and one request. Its lines are queued in a bounded buffer; who does not read is cut off.
 * Nothing here frees a client at once: control_sweep() does, when no callback holds one. */
#ifndef EXO_CONTROL_H
#define EXO_CONTROL_H

#include <ev.h>

#include "data/json.h"
#include "data/jsonw.h"
#include "items.h"

enum {
	CONTROL_CLIENTS = 32,
	CONTROL_REQUEST_MAX = 4096,
	CONTROL_OUT_MAX = 256 << 10,
	CONTROL_LINE_MAX = 128 << 10,
	CONTROL_KEY_SIZE = 256,
};

struct exo;
struct worker;

struct request {
	const char *key; /* NULL: none */
	double wait_s;	 /* of every verb, with the verb's own default */
	double kill_s;	 /* 0: not given */
	bool quiet;
};

struct client {
	struct client *next;
	struct exo *x;
	int fd;
	ev_io io;
	ev_timer timer; /* for the request; then `wait`; then for what it has not read */
	char *in;	/* the request, until it is whole */
	size_t in_len;
	struct sn_buf out;
	bool asked, half_closed, ending, dead;
	bool refused, lingers;		     /* not served: not counted among those that are */
	void (*on_timeout)(struct client *); /* `wait` is over */
	unsigned pending;		     /* answers of handlers that have not come */
	double wait_s;
	struct item_list follows; /* cancellations whose events it gets */
	bool withdrawing;	  /* it has not heard of all that it wants withdrawn */
};

struct ask;
struct cancel;
struct withdrawal;

struct control {
	int fd;
	ev_io io;
	ev_timer breath; /* no descriptor for another client: a moment later again */
	struct client *clients;
	unsigned client_count, refused_count;
	bool sweep;
	struct ask *asks; /* of handlers, unanswered */
	unsigned last_id;
	struct cancel *cancels;
	unsigned cancel_count;
	struct withdrawal *withdrawals; /* the next in turn first */
	unsigned withdrawal_count;
	ev_timer turn;
};

/* control.c. 0 or -errno; without the socket exo works all the same. */
int control_start(struct exo *x) SN_CHECK;
void control_stop(struct exo *x);
void control_sweep(struct exo *x);

/* A line for a client: client_line() with a writer whose outermost object is open, and "type" in it. */
void line_begin(struct sn_jsonw *w, struct sn_buf *buf, const char *type);
/* Closes the object, sends and empties it. */
void line_send(struct client *c, struct sn_jsonw *w);
/* The last one. Then the connection ends. */
void client_end(struct client *c, int code);
void client_error(struct client *c, int code, const char *text);
/* After that many seconds, unless it ended: `over`. */
void client_wait(struct client *c, double seconds, void (*over)(struct client *));

/* request.c: one line, without its end. It is written to. */
void request_obey(struct client *c, char *line);
/* peer.c: 0, or -EPERM */
int peer_check(const struct exo *x, int sock) SN_CHECK;

/* ask.c: what a handler answered, or why it did not. */
enum answer_kind { ANSWER_VALUE, ANSWER_ERROR, ANSWER_ABSENT };
struct handler_answer {
	enum answer_kind kind;
	struct sn_span json; /* the value as the worker sent it; data NULL: `text` */
	const char *text;
};
/* Sends "VERB ID NAME,aN". For the client, or (NULL) for the cancellation of that workitem. 0 or -errno. */
int ask_worker(struct worker *w, const char *verb, const struct item *it, struct client *c) SN_CHECK;
/* "ID JSON" came. */
void ask_answered(struct worker *w, const char *text);
void answer_line(struct sn_jsonw *j, const struct handler_answer *h);
void asks_drop_worker(struct worker *w);
/* The others are not waited for; while the client lives it hears why. */
void asks_drop_client(struct client *c, const char *why);

/* enquiry.c */
bool key_names(const struct exo *x, const char *key, const struct item *it);
/* Is it a worker that the key is about? All are without one. */
bool enquiry_means(const struct worker *w, const char *key);
void enquiry_status(struct client *c, const struct request *rq);
/* procs.c */
void enquiry_stacks(struct client *c, const struct request *rq);

#endif
