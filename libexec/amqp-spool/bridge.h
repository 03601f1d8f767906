/* amqp-spool, the bridge: one process per host between the broker and every participant's spool.
 *
 *	consumer.c   main thread: the consuming connection, one channel per participant, acks
 *	deliver.c    main thread: a message becomes open/NAME (deliver.*), redeliveries join
 *	results.c    main thread: result/new → publisher → retire.*
 *	publisher.c  a thread that owns the publishing connection
 *	disk.c       a thread for syncs and history rows
 *	cancel.c     main thread: cancel items; pursue.c and canceller.c see them through; control.c talks to exo
 *	recover.c    start and reconcile
 *	air.c        enquiries from afar, in a thread of its own when there is something to ask after
 *	reader.c     a connection in an event loop: what consumer.c and air_thread.c have in common
 *
 * Only the main thread touches spools (but for syncs), participants and items. */
#ifndef BRIDGE_H
#define BRIDGE_H

#include <dirent.h>
#include <ev.h>
#include <sys/queue.h>
#include <uthash.h>

#include "base/base.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "data/config.h"
#include "spool/result.h"
#include "spool/spool.h"
#include "svc/home.h"

struct bridge;
struct consumer;
struct publisher;
struct disk;

enum item_state {
	ITEM_OPEN,	 /* S1–S4: with the participant */
	ITEM_READY,	 /* S5: there is a result, not yet looked at */
	ITEM_PUBLISHING, /* S6 */
	ITEM_WAITING,	 /* S5: returned or unreadable; again at retry_at_ns */
	ITEM_RETIRING,	 /* S7: answered, but a step of retire failed; again at retry_at_ns */
};

struct item {			   /* an unfinished workitem: open/NAME */
	UT_hash_handle hh;	   /* participant.items, by name */
	TAILQ_ENTRY(item) pending; /* bridge.ready or bridge.waiting, by state */
	TAILQ_ENTRY(item) unsynced_link;
	struct participant *p;
	char name[SN_NAME_SIZE];
	enum item_state state;
	char *fei; /* raw JSON, owned; NULL until it is needed */
	size_t fei_len;
	char *ids; /* "wfid\0expid", owned, with fei */
	bool forget;
	bool rewritten; /* result is our own error reply, not what lies in result/new */
	bool announced; /* to AIR */
	bool cancelled; /* marked: nothing is sent for it any more (docs/SPOOL.md, section 10) */
	bool aside;	/* no workitem: it lies in failed/ or done/ and only waits to be synced and acked */
	bool synced, unsynced_listed;
	uint64_t sync_batch;
	uint64_t tag, epoch; /* of the delivery; epoch 0: none */
	int64_t received_ns; /* monotonic */
	int64_t retry_at_ns;
	unsigned rejects, returns;
	unsigned messages_out; /* NAME.mNNNN with the publisher */
	bool message_due;      /* one came back, or could not be sent yet: the reply waits */
	unsigned last_message; /* the highest that was submitted */
	uint64_t size_bytes;
	struct sn_result_file result; /* while it is being published and retired */
	char *log;		      /* why it goes to failed/, owned; NULL: to done/ */
};
TAILQ_HEAD(item_list, item);

enum channel_state {
	CH_CLOSED,
	CH_OPENING,
	CH_DECLARING,
	CH_QOS,
	CH_STARTING,
	CH_CONSUMING,
	CH_CANCELLING,
	CH_PAUSED,
	CH_CLOSING,
	CH_FAILED,
};

struct recent { /* a finished workitem, for redeliveries */
	char prefix[SN_NAME_FIXED + 1];
};

struct channel { /* a participant's, on the consuming connection */
	uint16_t number;
	enum channel_state state;
	uint64_t first_tag;   /* of marks[0] */
	unsigned char *marks; /* TAG_… of each unacked tag, in order */
	size_t marks_len, marks_cap, due;
	bool requeue; /* some mark is TAG_REQUEUE */
	/* the message being put together */
	bool in_message, redelivered;
	uint64_t tag, body_size;
	struct sn_buf body;
	uint64_t body_seen;
};

struct participant {
	TAILQ_ENTRY(participant) link;
	struct bridge *b;
	char *name;
	struct sn_config config;
	struct sn_spool spool;
	uid_t uid; /* whose result files must be */
	struct item *items;
	struct channel ch;
	int watch;	       /* inotify, -1 none */
	struct recent *recent; /* a ring */
	unsigned recent_count, recent_next;
	bool held;		     /* at `hold`: not consuming */
	bool rescan;		     /* result/new is to be looked at again */
	DIR *scan;		     /* it is being looked at, this far */
	bool stale;		     /* mark and sweep at reload */
	char *error;		     /* shown in status; NULL none */
	struct item *air_next;	     /* the first that AIR does not know */
	struct canceller *canceller; /* NULL: there was no cancel item yet */
};
TAILQ_HEAD(participant_list, participant);

enum { RECENT_MAX = 4096 };

struct bridge {
	struct ev_loop *loop;
	struct sn_home home;
	struct sn_config config;
	int spooldir, rundir, libdir, lock, inotify;
	int rundirs; /* home.run: all the run directories */
	struct participant_list participants;
	struct item_list ready, waiting, unsynced;
	struct sn_name_clock names;
	struct consumer *consumer; /* NULL: brokerless */
	struct publisher *publisher;
	struct disk *disk;
	struct air *air;     /* NULL: brokerless, or no settings */
	uint64_t sync_batch; /* the last one asked for */
	bool syncing;
	bool full; /* no room: nothing is consumed */
	bool stopping;
	char no_queue[256]; /* replies wait because the broker has no such queue; "" none do */
	char why[256];	    /* what keeps us from starting */
	char warning[512];  /* about the password file; "" none */
	bool status_dirty;
	const char *publisher_state; /* as last seen */
	int exit_code;
	int64_t started_us;
	int64_t stop_deadline_ns;
	ev_timer sync_timer, reconcile_timer, retry_timer, room_timer, stop_timer;
	ev_io inotify_watch;
	ev_async wake; /* from the publisher and the disk thread */
	ev_prepare prepare;
	ev_signal sigterm, sigint, sighup;
};

/* main.c */
void bridge_stop(struct bridge *b, int exit_code);
bool bridge_brokerless(const struct bridge *b);

/* reload.c: on SIGHUP */
/* Looks at the password file; for the log and the status. */
void bridge_check_secret(struct bridge *b);
void bridge_reload(struct ev_loop *loop, ev_signal *w, int events);

/* participants.c */
struct participant *participant_find(struct bridge *b, const char *name);
/* Reads the home again: adds, updates, marks removed ones stale and drops them. 0, or -EINVAL if some were bad. */
int participants_load(struct bridge *b) SN_CHECK;
void participant_set_error(struct participant *p, const char *fmt, ...) SN_PRINTF(2, 3);
void participants_release(struct bridge *b);

/* item.c */
struct item *item_find(struct participant *p, const char *name);
struct item *item_add(struct participant *p, const char *name);
void item_remove(struct item *it); /* and free */
struct sn_workitem;
/* Fills in fei, ids, forget, size, once: from a body of len bytes that was read. */
void item_note(struct item *it, const struct sn_workitem *w, size_t len);
/* The same from open/NAME, if it was not done before. 0 or -errno. */
int item_learn(struct item *it) SN_CHECK;
/* WAITING and RETIRING: results_retry() looks at it each second; set retry_at_ns. */
void item_set_state(struct item *it, enum item_state state);
void item_set_unsynced(struct item *it, bool on);

/* deliver.c */
enum delivered { DELIVERED_KEEP, DELIVERED_ACK, DELIVERED_NO_ROOM };
/* A whole message. KEEP: its tag is acked later; ACK: at once, it is durable or known; NO_ROOM: it could not be stored. */
enum delivered deliver_message(struct participant *p);
/* The delivery at hand belongs to no workitem: it is acked when all that was written is synced. */
enum delivered deliver_aside(struct participant *p, const char *name);
void recent_add(struct participant *p, const char *name);
void bridge_check_room(struct bridge *b);

/* results.c */
void results_event(struct participant *p, const char *leaf);
void results_pump(struct bridge *b);  /* READY → publisher, as far as it takes them */
void results_retry(struct bridge *b); /* WAITING whose time has come */
struct job;
void results_job_done(struct bridge *b, struct job *j); /* takes the job */

/* rescan.c: all of result/new, now as far as one step goes; the rest in the turns that follow, by rescan_go_on(). */
void results_rescan(struct participant *p);
void rescan_go_on(struct bridge *b);
void rescan_end(struct participant *p);

/* complete.c: an answered workitem is acked and retired */
void item_complete(struct item *it);
/* What a participant wrote and could not be used stays as failed/…/NAME.rejected, the first of several. */
void item_keep_rejected(struct item *it);
/* Turns the result into an error reply, outcome invalid; it is then sent as any other. */
void item_fail_invalid(struct item *it, const char *why);
void item_ack(struct item *it);

/* sync.c */
void sync_start(struct bridge *b);
void sync_done(struct bridge *b, uint64_t batch, int error);
void sync_arm(struct bridge *b);

/* recover.c */
int recover_participant(struct participant *p) SN_CHECK;
void reconcile(struct bridge *b);

/* status.c */
void status_write(struct bridge *b, const char *state);
void status_touch(struct bridge *b);

#endif
