/* The worker: runs a participant's Python code, one workitem at a time (docs/WORKER.md).
 *
 * What workers have in common, the watch thread too, is in svc/worker.h. The control thread tells Python "stop" and
 * "die". One more each for status() and cancel(), once they are asked for.
 *
 * main.c (what svc/worker.h calls), control.c (what exo says), enquire.c (status and cancel), stacks.c (where everything
 * is), emit.c (messages on the way), encode.c and decode.c (JSON), python.c (the interpreter; the only file, with emit.c,
 * encode.c and decode.c, that knows Python). */
#ifndef WORKER_H
#define WORKER_H

#include "svc/worker.h"

enum { ENQUIRIES_MAX = 8 };

/* Questions to the handler, by kind. */
enum lane_number { LANE_STATUS, LANE_CANCEL, LANES };

struct enquiry {
	char id[16], leaf[SN_ATTEMPT_SIZE]; /* as exo wrote them; "-": no workitem */
};

struct lane {
	struct worker *worker;
	bool started;
	int64_t since_us; /* it is with the handler since then; 0: it is not */
	unsigned count;
	struct enquiry queue[ENQUIRIES_MAX];
};

struct python_answer { /* of one run; release() */
	const char *outcome, *send;
	const void *body;
	size_t len;
	struct _object *owner; /* what outcome, send and body are part of */
	struct _object *item;  /* NULL, or the workitem itself */
};

/* DUMP_WAITS: for the interpreter's lock; DUMP_LATE: it is not needed any more. */
enum dump_state { DUMP_NONE, DUMP_WAITS, DUMP_RUNS, DUMP_LATE };

struct worker {
	struct sn_worker
		base; /* first: the class gets this. Its lock and condition are for what follows, too */

	struct python_answer answer; /* of the workitem that runs; main thread only */

	/* between the threads */
	bool stop, die;	 /* asked for, until the control thread takes them */
	bool in_control; /* Python's control() runs */
	struct lane lanes[LANES];
	bool in_stacks;	      /* they are being printed */
	enum dump_state dump; /* of the thread that prints Python's */
};

/* The process has one worker, and C callbacks from fork and from Python must find it. */
extern struct worker worker;

/* control.c */
extern const struct sn_worker_verb CONTROL_VERBS[];
/* The thread for stop and die. 0 or -errno. */
int control_start(struct worker *w) SN_CHECK;
/* Waits until what was asked of control() has been answered. */
void control_settle(struct worker *w);

/* enquire.c: "ID NAME,aN" or "ID -". Called with the lock held. */
void enquire(struct worker *w, enum lane_number number, const char *arg);

/* stacks.c. After python_start(). 0 or -errno */
int stacks_prepare(void) SN_CHECK;
/* The signal that asks a thread for its C stack: no thread of ours blocks it. */
int stacks_signal(void) SN_CHECK;
/* Every thread's, C and Python, into the log. Called with the lock held; returns at once. */
void stacks(struct worker *w);

/* python.c. All are called with the interpreter's lock not held. */
int python_start(void) SN_CHECK; /* the interpreter */
/* Imports the participant. 0, or -1 with the last line of the traceback in ret_why. */
int python_load(struct sn_worker *w, char *ret_why, size_t size) SN_CHECK;
/* leaf: what python_enquire() calls it. */
int python_run(const char *leaf, const struct sn_buf *body, struct python_answer *ret) SN_CHECK;
void python_answer_release(struct python_answer *a);
void python_control(const char *message);
/* "status" or "cancel"; leaf NULL: no workitem. The handler's answer as JSON, the caller's; NULL before it is loaded. */
char *python_enquire(const char *message, const char *leaf) SN_CHECK;
/* When that signal comes, in whatever state the interpreter is, the stacks of all threads go to fd. 0 or -errno. */
int python_stacks_on_signal(int sig, int fd) SN_CHECK;
/* The same now, for w->dump == DUMP_WAITS: unless that changes while it waits for the interpreter's lock. */
void python_stacks(struct worker *w, int fd);
void python_end(void);

/* emit.c */
struct _object;
struct _object *emit_function(void);

#endif
