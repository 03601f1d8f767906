/* What publisher.c (the thread, its connection, its lists) and batch.c (what is said to the broker) share. */
#ifndef PUBLISHER_PRIVATE_H
#define PUBLISHER_PRIVATE_H

#include <pthread.h>

#include "link.h"
#include "outbox.h"
#include "publisher.h"

enum {
	CHANNEL = 1,
	JOBS_MAX = 512,
	BATCH_MAX = 256,
	BATCH_BYTES = 8 << 20,
	HALVED_MAX = 8, /* a single reply */
	PENDING_BYTES = 32 << 20,
	QUEUES_KNOWN = 4,
	PROBE_CHANNEL = 2,
	GATHER = 48,
	GATHER_NS = 5000000,
	GATHER_SKIP_MAX = 1024,
	OFFER_BYTES = 8 << 10 /* any socket takes that at once, if nothing else is on its way */
};

enum pub_state { PUB_CONNECTING, PUB_RESOLVING, PUB_READY, PUB_BLOCKED, PUB_STATES };
struct publisher {
	struct bridge *b;
	pthread_t thread;
	int wake_fd; /* eventfd: something for the thread */
	int outbox;
	char id[40]; /* of this home, in the names of its queues; constant */

	pthread_mutex_t lock; /* for what follows, up to the blank line */
	struct job_list submitted, done;
	size_t pending, pending_bytes;
	size_t waiting; /* submitted and not taken into a batch */
	size_t kicked;	/* of those, how many the thread was told of */
	size_t wake_at; /* how many waiting ones wake the thread: SIZE_MAX while a batch is out */
	enum pub_state state;
	bool known; /* done holds replies that must not be submitted again */
	bool stop, reconnect, hurry;
	bool changed;			 /* the state or the trouble, since it was asked */
	char trouble[LINK_TROUBLE_SIZE]; /* why it is not connected; "": it is, or not known yet */
	struct link_settings settings;
	uint64_t collected, retired; /* batches handed over; batches retired */
	int socket;		     /* of the connection, to wake the thread up by force; -1 none */

	/* Who has it locked has all that follows: the thread, but while it waits; then the main thread may use it
	 * (batch_offer). Taken before `lock`. */
	pthread_mutex_t serving;
	bool lost; /* while the main thread used it */
	amqp_connection_state_t conn;
	uint64_t batch, epoch;
	char batch_id[BATCH_ID_SIZE];
	struct job_list current; /* the batch that is out, uncommitted or unknown */
	struct sn_buf taken, text;
	char routable[QUEUES_KNOWN][256]; /* queues that were seen to exist since we connected */
	bool blocked;
	bool outbox_failed; /* the last time */
	unsigned attempts, host;
	size_t last_count; /* replies in the last batch */
	unsigned halved;   /* batches are to be smaller: how often they were */
	unsigned gather_skip, gather_penalty;
	char why[LINK_WHY_SIZE];
};

/* publisher.c */
void publisher_set_state(struct publisher *p, enum pub_state state);
bool publisher_must_end(struct publisher *p);
/* Waits for the broker, the main thread, or the time to pass. */
void publisher_wait(struct publisher *p, int64_t timeout_ns);
/* From now on the thread is woken up when so many jobs are waiting. Returns how many are. */
size_t publisher_wake_at(struct publisher *p, size_t count);
/* The jobs' outcomes are settled. */
void publisher_hand_back(struct publisher *p, struct job_list *jobs);

/* probe.c; trouble is told in p->why. */
/* p->id from lib/bridge-id, which is made once: it names this home's queues at the broker. 0 or -errno. */
int probe_load_id(struct publisher *p) SN_CHECK;
bool probe_declare(struct publisher *p) SN_CHECK;
int probe_witness(struct publisher *p) SN_CHECK;
int probe_queue(struct publisher *p, const char *queue) SN_CHECK;
/* Was it there when it was last asked for? */
bool probe_knows(const struct publisher *p, const char *queue) SN_CHECK;

/* batch.c; each returns false when the connection is lost or useless, with p->why set. */
bool batch_resolve(struct publisher *p) SN_CHECK;
bool batch_select(struct publisher *p) SN_CHECK;
/* Publishes until the end, a reload, or the loss of the connection. */
void batch_serve(struct publisher *p, int64_t half_heartbeat_ns);
/* In the main thread: sends what was submitted, if that is one small job and the thread has nothing to do. Waking it up would take
 * longer. False: it is to be woken up all the same. */
bool batch_offer(struct publisher *p) SN_CHECK;

#endif
