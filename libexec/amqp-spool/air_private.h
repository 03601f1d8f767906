/* What the AIR files share. */
#ifndef AIR_PRIVATE_H
#define AIR_PRIVATE_H

#include <pthread.h>

#include "air.h"
#include "reader.h"

enum {
	AIR_WFID_SIZE = 129,
	AIR_KEY_SIZE = 256,
	AIR_REQUEST_MAX = 65536,
	AIR_ENQUIRIES_MAX = 64,
	AIR_CHANNEL = 1, /* exchanges and answers; WFIDs have the channels behind it */
	AIR_REPORT_S = 5,
};

enum air_state { AIR_IDLE, AIR_CONNECTING, AIR_CONNECTED, AIR_STATES };

struct air_counts {
	enum air_state state;
	unsigned long open, waiting, answered, dropped, expired;
};

struct air_open { /* an open workitem, told by the main thread */
	STAILQ_ENTRY(air_open) link;
	char wfid[AIR_WFID_SIZE], participant[65], name[SN_NAME_SIZE];
	char *expid;
	uid_t uid;  /* who listens on the control socket */
	bool close; /* not open any more */
};
STAILQ_HEAD(air_open_list, air_open);

enum wfid_state { WFID_WAITING, WFID_OPENING, WFID_OPEN };

struct air_wfid { /* a process with open workitems */
	UT_hash_handle hh;
	TAILQ_ENTRY(air_wfid) link; /* air.waiting, while WFID_WAITING */
	char wfid[AIR_WFID_SIZE];
	struct air_open_list items;
	enum wfid_state state;
	uint16_t channel;      /* 0 none */
	int64_t not_before_ns; /* the broker refused it */
	/* the request being put together */
	bool in_message, oversized;
	char key[AIR_KEY_SIZE], reply_to[AIR_KEY_SIZE];
	uint64_t size, seen;
	struct sn_buf body;
};
TAILQ_HEAD(air_wfid_list, air_wfid);

struct enquiry;
TAILQ_HEAD(enquiry_list, enquiry);

struct air {
	struct bridge *b; /* of which the thread uses the loop's wake, and descriptors that never change */
	/* the main thread's own */
	ev_timer timer; /* the next workitem comes of age */
	bool running;	/* there is a thread */
	pthread_t thread;

	pthread_mutex_t lock; /* for what follows, up to the blank line */
	struct air_open_list commands;
	struct link_settings settings;
	unsigned max;
	bool stop, reconnect, hurry, changed;
	struct air_counts counts; /* as last reported */
	int socket;		  /* to wake the thread up by force; -1 none */

	/* the thread's own */
	struct ev_loop *loop;
	ev_async command; /* main thread → thread */
	struct reader link;
	ev_timer idle, report, reopen;
	unsigned limit; /* how many WFIDs this connection takes */
	bool blocked, reported;
	struct air_wfid *wfids;	      /* by wfid */
	struct air_wfid_list waiting; /* for a channel */
	struct air_wfid **channels;   /* by number; NULL: free, or closing */
	bool *closing;
	size_t channel_count; /* of the two arrays */
	struct enquiry_list enquiries;
	unsigned enquiry_count;
	struct air_counts now;
	int64_t complained_ns; /* when a dropped request was last logged */
	unsigned long complaints;
	char hostname[256];
};

/* air_thread.c */
void air_prepare(struct air *a); /* by the main thread, before there is another one */
void *air_main(void *arg);
void air_lost(void *air, const char *why);
/* Something that the status file says has changed. */
void air_touch(struct air *a);
/* A request that is not answered: counted, and logged once a minute. */
void air_drop(struct air *a, const char *why);

/* air_table.c */
void table_command(struct air *a, struct air_open *o); /* takes it */
/* A connection was made, or lost. */
void table_reset(struct air *a);
/* Opens channels for those that wait, as far as there are some. */
void table_fill(struct air *a);
void table_frame(struct air *a, const amqp_frame_t *f);

/* air_request.c: the request that w has put together. */
void request_take(struct air *a, struct air_wfid *w);
void request_abort_all(struct air *a);

#endif
