/* The worker's side of docs/WORKER.md: what every program that exo starts as a worker has in common.
 *
 *	static const struct sn_worker_class CLASS = {.program = "exo-x", .load = load, .run = run, …};
 *	struct sn_worker w;
 *	return sn_worker_main(&w, &CLASS, argc, argv);
 *
 * Two threads: the caller's runs the work, the watch thread reads the control socket and ends the process when exo is
 * gone. claim.2, result.1 and result.2 are done here. */
#ifndef SN_SVC_WORKER_H
#define SN_SVC_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "data/result.h"
#include "data/workitem.h"
#include "spool/spool.h"
#include "svc/home.h"
#include "sys/fd.h"

enum {
	SN_WORKER_BORN = 3, /* descriptors: work socket, control socket, slot 1, lock, as exo places them */
	SN_WORKER_WORK =
		60, /* and where they are moved to: user code that closes everything and opens others */
	SN_WORKER_CONTROL, /* (the lowest free numbers) must not find its files in the place of our sockets */
	SN_WORKER_SLOT1,
	SN_WORKER_LOCK,
	SN_WORKER_PACKET = 4097,
	SN_WORKER_SLOTS = 8, /* exo: WORKER_JOBS */
	SN_WORKER_WHY = 1024,
};

struct sn_worker;

/* What exo says on the control socket; arg is what stands behind the word. Called on the watch thread, with w->lock
 * held: nothing in it may wait. */
struct sn_worker_verb {
	const char *word; /* NULL ends the table */
	void (*handle)(struct sn_worker *w, const char *arg);
};

struct sn_answer { /* to one workitem */
	enum sn_outcome outcome;
	enum sn_send send;
	const void *body; /* stays until the next run, or until release */
	size_t len;
	bool dirty; /* something holds on to the output, though it is no child of ours */
};

struct sn_worker_class {
	const char *program;
	/* Before the first workitem. 0, or -1 and a reason: `fatal`. The watch thread runs already. */
	int (*load)(struct sn_worker *w, char *ret_why, size_t size);
	/* Works on w->job. Has an answer, or does not return. */
	void (*run)(struct sn_worker *w, struct sn_answer *ret);
	void (*release)(struct sn_worker *w,
			struct sn_answer *a); /* NULL: nothing to do. After it was stored */
	/* NULL, or what can wait until exo was told: nothing in it may print, or run the participant's code */
	void (*tidy)(struct sn_worker *w);
	void (*end)(struct sn_worker *w);   /* NULL, or: told to quit, all work is done */
	const struct sn_worker_verb *verbs; /* beside `quit`, which is handled here */
	int (*open_signal)(void); /* NULL, or: one that the threads of sn_worker_thread() do not block */
};

struct sn_worker {
	const struct sn_worker_class *class;
	const char *name; /* the participant's */
	struct sn_home home;
	struct sn_config config;
	struct sn_spool spool;
	struct sn_fd_id work, control; /* the sockets */
	int slots
		[SN_WORKER_SLOTS]; /* writing ends of the output pipes; -1: the first workitem for it brings one */
	atomic_uint slot_now;	   /* of the workitem at hand, or the last one */
	bool shared; /* something once outlived its workitem: exo is the reaper now, every end is "dirty" */
	bool forked; /* this is a child of the worker, by the participant's fork */
	struct {     /* the workitem at hand; the main thread's, and what sn_worker_message() reads */
		char leaf[SN_ATTEMPT_SIZE], name[SN_NAME_SIZE];
		unsigned attempt;
		int fd; /* its file in open/, locked (claim.1), at its end; -1: no more */
		struct sn_fd_id file;
		struct sn_buf body;
		struct sn_workitem item; /* of sn_worker_look() */
		bool runs;		 /* under `writing`, as `messages`: those that were sent on the way */
		unsigned messages;
	} job;
	pthread_mutex_t writing; /* one record at a time, whichever thread has something to say */
	struct sn_buf reply;	 /* sn_worker_reply, sn_worker_error */
	pthread_mutex_t lock;	 /* for what the class shares between the threads */
	pthread_cond_t changed;
	bool quit;
	bool check;  /* load the code, say whether it does, end: what has effects outside is left out */
	bool replay; /* sn_worker_replay(): there is neither exo nor a file in open/ */
};

/* Everything up to the end of the process: argument check, load, `ready`, one workitem after the other. Returns the
 * exit code of a start that failed; else it does not return.
 *	PROGRAM --home HOME [--check] NAME
 *	PROGRAM --home HOME [--raw] --replay FD NAME	(skynet-replay; FD: the workitem, a file) */
int sn_worker_main(struct sn_worker *w, const struct sn_worker_class *class, int argc, char **argv) SN_CHECK;
/* worker_replay.c: one workitem from fd, the reply to standard output. Returns an exit code. */
int sn_worker_replay(struct sn_worker *w, int fd, bool raw) SN_CHECK;
/* From any thread, while the class works on the workitem: into the journal, before the answer. kind: SN_SEND_MESSAGE or
 * SN_SEND_LAUNCH. 0; -EINVAL: no workitem is being worked on; -E2BIG: too many; -errno. */
int sn_worker_message(struct sn_worker *w, enum sn_send kind, const void *body, size_t len) SN_CHECK;
/* Sends a packet to exo; ends the process if that is gone. */
void sn_worker_send(const char *text, size_t len);
void sn_worker_tell(const char *fmt, ...) SN_PRINTF(1, 2);
/* The path of the participant's code; the caller's. */
char *sn_worker_code(const struct sn_worker *w) SN_CHECK;
/* worker_work.c: false when there is no more. */
bool sn_worker_next(struct sn_worker *w) SN_CHECK;
/* Unlocks its file, if it still has it. */
void sn_worker_let_go(struct sn_worker *w);
/* worker_watch.c: starts the watch thread. 0 or -errno. */
int sn_worker_watch(struct sn_worker *w) SN_CHECK;
/* A detached thread with a small stack and all signals blocked: those are for the main thread. 0 or -errno. */
int sn_worker_thread(const struct sn_worker *w, void *(*f)(void *), void *arg) SN_CHECK;

/* worker_reply.c: for code that gets bytes and gives bytes and a verdict (docs/WORKER.md). sn_worker_look() comes
 * first: it fills in job.item. */
void sn_worker_look(struct sn_worker *w);
/* `json` may be empty: the workitem unchanged. What is no reply to it becomes an error reply that says why. */
void sn_worker_reply(struct sn_worker *w, const char *json, size_t len, bool result, struct sn_answer *ret);
/* The workitem as it came, with an error. text is cut into lines; the last of them are the trace. */
void sn_worker_error(struct sn_worker *w, const char *message, const char *text, size_t len,
		     struct sn_answer *ret);

#endif
