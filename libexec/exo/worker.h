/* One worker process and its place in the table of workers. */
#ifndef EXO_WORKER_H
#define EXO_WORKER_H

#include <ev.h>

#include "items.h"
#include "slot.h"

enum { WORKER_JOBS = 8, WORKER_QUICK_NS = 2000000, WORKER_TEXT_SIZE = 200, WORKER_NAME_SIZE = 32 };

enum worker_state {
	WORKER_DOWN,	 /* no process; `timer`: started again when the back-off is over */
	WORKER_STARTING, /* loading; `timer`: start_limit */
	WORKER_READY,
	WORKER_QUITTING, /* told to end; `timer`: killed when it does not */
	WORKER_KILLED,	 /* sent SIGKILL, waiting for the kernel */
	WORKER_STATES,
};

struct job {
	struct item item;
	unsigned slot;
	int64_t sent_ns; /* monotonic */
};

struct worker {
	struct exo *x;
	unsigned index, generation;
	char id[WORKER_NAME_SIZE]; /* SKYNET_WORKER: "index-generation" */
	enum worker_state state;
	int64_t since_ns; /* monotonic: in this state */
	pid_t pid;
	int work, theirs, control; /* exo's end, exo's copy of the worker's end, exo's end */
	ev_io work_io, control_io;
	ev_timer timer;
	struct job jobs[WORKER_JOBS]; /* [0] runs, the others are ahead, in order */
	unsigned job_count;
	struct slot
		slots[WORKER_JOBS]; /* [0] and [1] are opened at its start, the others when they are needed */
	int64_t done_ns, pace_ns;   /* when it last ended a workitem; what one takes, a running mean */
	bool trial;		    /* of a reload: loads the code and ends */
	bool stale;		    /* the configuration is older than exo's: ends after what it runs */
	bool surplus;		    /* `instances` is smaller now */
	bool warned;		    /* time_limit: told that it is over soon */
	bool over;		    /* told to end; what it says now is too late */
	unsigned done_items;	    /* for max_items */
	ev_timer limit;
	bool planned; /* its death is our doing: no crash, no back-off */
	const char *
		broke; /* NULL, or: what it did that it was killed for; stays for what is said of its death */
	double backoff_s;
	int64_t ready_ns;	      /* 0: was not ready yet */
	unsigned bad_starts;	      /* in a row */
	char fatal[WORKER_TEXT_SIZE]; /* why it did not start */
};

struct worker *worker_new(struct exo *x, unsigned index) SN_CHECK;
void worker_free(struct worker *w);
void worker_start(struct worker *w);
/* It gets no more work. Whatever it runs is finished; then it is told to stop and quit. */
void worker_retire(struct worker *w);
void worker_quit(struct worker *w, double limit_s);
void worker_kill(struct worker *w);
/* After its death: closes everything. */
void worker_close(struct worker *w);
/* Starts it again after its back-off. `at_once`: it had been healthy. */
void worker_again(struct worker *w, bool at_once);
void worker_set_timer(struct worker *w, double seconds);
bool worker_idle(const struct worker *w);
void worker_enter(struct worker *w, enum worker_state state);
/* When it began what it runs (monotonic), as far as exo can tell. */
int64_t worker_began_ns(const struct worker *w);
/* How many workitems it may have at once: one ahead, and more while it takes less than WORKER_QUICK_NS for each. */
unsigned worker_depth(const struct worker *w);

/* max_items: it may have no more than it has. */
bool worker_full(const struct worker *w);

/* limit.c: time_limit. */
void limit_init(struct worker *w);
void limit_begin(struct worker *w); /* it has work, and had none */
void limit_end(struct worker *w);   /* it has ended */
/* The error reply for what took too long. */
void limit_answer(struct worker *w, const struct item *it, const struct ring *ring);
/* True: that has no result, and gets no more time. */
bool limit_refuses(struct worker *w, const struct job *job);

/* spawn.c: the process. The fds are the child's ends. Returns its pid or -errno. */
struct spawn_fds {
	int output[2], work, control;
};
pid_t spawn(const struct worker *w, const struct spawn_fds *fds) SN_CHECK;

/* talk.c */
void talk_start(struct worker *w);
void talk_stop(struct worker *w);
/* Reads everything it has sent. */
void talk_read_all(struct worker *w);
/* Gives it a workitem. 0 or -errno. */
int talk_work(struct worker *w, const struct item *it) SN_CHECK;
/* Takes back the first that is ahead and that it has not read. */
bool talk_take_back(struct worker *w, struct item *ret) SN_CHECK;
void talk_control(struct worker *w, const char *text);
/* The same where it matters whether it could be sent. 0 or -errno. */
int talk_say(struct worker *w, const char *text) SN_CHECK;

#endif
