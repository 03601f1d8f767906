/* A participant as a shared library: two functions, called by exo-so(8), one workitem at a time, in one process: no fork,
 * no exec, no Python. Its manual page is skynet-participant(3).
 *
 *	cc -shared -fPIC -o name.so name.c;  skynet install name.so
 *
 * Include this in one file of the library: it notes the version of this interface in it. C and C++. */
#ifndef SKYNET_PARTICIPANT_H
#define SKYNET_PARTICIPANT_H

#include <stddef.h>

#define SKYNET_ABI    1
#define SKYNET_EXPORT __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* Everything in it is the caller's and valid until skynet_handle() returns. Strings are never NULL. */
struct skynet_workitem {
	const char *json; /* the workitem, UTF-8, one object; a NUL stands behind it */
	size_t len;
	const char *name;	  /* in the spool */
	const char *participant;  /* whose work it is */
	const char *wfid, *expid; /* the process, the place in it */
	unsigned attempt;	  /* 1; more if an earlier one was cut short */
};

/* All zero when skynet_handle() is called. */
struct skynet_reply {
	const char *json; /* NULL: the workitem unchanged */
	size_t len;
	const char *error; /* why, where skynet_handle() returns neither 0 nor 1 */
	/* What the three pointers point to stays as it is until the reply is stored. Then, if it is set, this is called,
	 * once, whatever skynet_handle() returned, and on the same thread. */
	void (*release)(struct skynet_reply *reply);
	void *data; /* for release */
};

/* Works on one workitem. 0: fields.__result__ becomes true; 1: false; anything else: an error reply with out->error. A
 * reply is a workitem with the same `fei`, an object in `fields` and no `error`; anything else becomes an error reply. */
SKYNET_EXPORT int skynet_handle(const struct skynet_workitem *in, struct skynet_reply *out);

enum skynet_message {
	SKYNET_START = 1, /* before the first workitem. Not 0: fatal, the answer says why */
	SKYNET_STOP,	  /* no more work comes after what runs */
	SKYNET_DIE,	  /* the end is near */
	SKYNET_CANCEL,	  /* the workitem is not wanted any more */
	SKYNET_STATUS,	  /* how is it doing? */
};

enum { SKYNET_UNSUPPORTED = -1 };

struct skynet_control {
	int message; /* more of them may come: return SKYNET_UNSUPPORTED for what you do not know */
	/* CANCEL and STATUS: the workitem in question, the very struct that skynet_handle() has. Else, or if it is not known
	 * which one is meant, NULL. */
	const struct skynet_workitem *workitem;
	char *answer; /* CANCEL, STATUS: write a JSON value here; START that fails: a text. "" when called */
	size_t answer_size;
};

/* START on the main thread; everything else on a second one, one message at a time, while skynet_handle() may run. 0, or
 * SKYNET_UNSUPPORTED, or (START) anything else for a failure. */
SKYNET_EXPORT int skynet_control(const struct skynet_control *message);

/* The worker compares it with its own. */
extern SKYNET_EXPORT __attribute__((weak)) const unsigned skynet_abi;
const unsigned skynet_abi = SKYNET_ABI;

#ifdef __cplusplus
}
#endif

#endif
