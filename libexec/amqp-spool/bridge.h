/* amqp-spool, the bridge: one process per host between the broker and every participant's spool.
 *
 *	consumer.c   main thread: the consuming connection, one channel per participant, acks
 *	deliver.c    main thread: a message becomes open/NAME (deliver.*), redeliveries join
 *	journals.c   main thread: the journals in work/result, and whose results are in them
 *	busy.c       main thread: whose journals are polled, because results come densely
 *	results.c    main thread: result → publisher → retire.*
 *	messages.c   main thread: what participants send on the way
 *	gone.c       main thread: what was sent for participants that were removed
 *	publisher.c  a thread that owns the publishing connection
 *	disk.c       a thread for syncs and history rows
 *	cancel.c     main thread: cancel items; pursue.c and canceller.c see them through; control.c talks to exo
 *	recover.c    start and reconcile
 *	air.c        enquiries from afar, in a thread of its own when there is something to ask after
 *	signals.c    TERM, INT, HUP; reload.c reads the configuration again
 *	logger.c     log lines, which are not waited for
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
	ITEM_OPEN,	 /* S2–S4: with the participant */
	ITEM_READY,	 /* S5: there is a result, not yet looked at */
	ITEM_PUBLISHING, /* S6 */
	ITEM_WAITING,	 /* S5: returned or unreadable; again at retry_at_ns */
	ITEM_RETIRING,	 /* S7: answered, but a step of retire failed; again at retry_at_ns */
};

/* journals.c: work/result/TIME-PID.results of one writer. */
struct journal {
	TAILQ_ENTRY(journal) link;
	struct participant *p;
	char leaf[SN_JOURNAL_SIZE];
	int fd;
	int64_t opened_ns;
	off_t at;	  /* read up to here */
	unsigned pending; /* answers and messages in it that are not retired, or sent */
	bool bad;	  /* it goes on with what is no record */
	bool unreadable;  /* the disk does not give it */
};
TAILQ_HEAD(journal_list, journal);

struct message { /* one sent on the way, which the broker does not have yet */
	STAILQ_ENTRY(message) link;
	struct journal *journal;
	off_t at; /* its record in there */
	unsigned number;
	bool out; /* with the publisher */
};
enum talk {
	TALK_NOT,
	TALK_NOW,   /* in bridge.talking: there are messages to be submitted */
	TALK_LATER, /* in bridge.muted: one came back; again at talk_at_ns */
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
	bool known;	 /* answered by a bridge before us: the broker has it */
	bool kept;	 /* retire.1 is done */
	bool remembered; /* with the broker, and that it is not seen here: gone.h */
	bool spoilt;	 /* its answer was rejected: exo may not know that it is to run again */
	bool announced;	 /* to AIR */
	bool cancelled;	 /* marked: nothing is sent for it any more (docs/SPOOL.md, section 10) */
	bool aside;	 /* no workitem: it lies in failed/ or done/ and only waits to be synced and acked */
	bool synced, unsynced_listed;
	uint64_t sync_batch;
	uint64_t tag, epoch; /* of the delivery; epoch 0: none */
	int64_t received_ns; /* monotonic */
	int64_t retry_at_ns;
	unsigned rejects, returns;
	int lock;		 /* cancel.4: on open/NAME, so that nobody begins it; -1: none */
	struct journal *journal; /* the answer's; NULL: there is none */
	struct sn_record record; /* its place in it */
	struct journal *later;	 /* that of the last of other answers, should the first be useless; or NULL */
	off_t later_at;
	STAILQ_HEAD(, message) messages; /* in order; the reply waits until there are none */
	unsigned last_message;		 /* the highest that was seen */
	enum talk talk;
	TAILQ_ENTRY(item) talk_link;
	int64_t talk_at_ns;
	unsigned talk_returns;
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
	uint64_t epoch;	      /* of its tags: another one each time it is opened, 0 without a connection */
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
	uid_t uid; /* whose journals must be */
	struct item *items;
	struct channel ch;
	int watch;	       /* inotify, -1 none */
	struct recent *recent; /* a ring */
	unsigned recent_count, recent_next;
	bool held;		      /* at `hold`: not consuming */
	struct journal_list journals; /* those that are open, of work/result */
	unsigned journal_count;
	bool crowded;		     /* others wait until some of them are gone */
	bool room_due;		     /* some may go now */
	bool complained;	     /* that one cannot be opened */
	unsigned message_count;	     /* of all items */
	bool unread;		     /* there is more in one of them */
	bool blocked;		     /* but not before some messages are gone */
	bool rescan;		     /* work/result is to be looked at again */
	DIR *scan;		     /* it is being looked at, this far */
	bool stale;		     /* mark and sweep at reload */
	bool lost;		     /* its spool is not there any more: left soon */
	char *error;		     /* shown in status; NULL none */
	struct item *air_next;	     /* the first that AIR does not know */
	struct canceller *canceller; /* NULL: there was no cancel item yet */
	bool busy;		     /* in bridge.busy: the watch is without IN_MODIFY, journals are polled */
	TAILQ_ENTRY(participant) busy_link;
	unsigned found;	     /* records in its journals, since found_since_ns or the last poll */
	unsigned vain_polls; /* in a row */
	int64_t found_since_ns;
};
TAILQ_HEAD(participant_list, participant);

enum { RECENT_MAX = 4096 };

struct bridge {
	struct ev_loop *loop;
	struct sn_home home;
	struct sn_config config;
	int spooldir, rundir, libdir, lock, inotify;
	int rundirs; /* home.run: all the run directories */
	struct participant_list participants, busy;
	STAILQ_HEAD(, unusable) unusable; /* participants.c */
	STAILQ_HEAD(, detached) detached; /* gone.c */
	STAILQ_HEAD(, taken) taken;
	unsigned taken_count;
	bool taken_changed; /* since it was saved */
	struct item_list ready, waiting, unsynced, talking, muted;
	struct sn_name_clock names;
	char *records;		   /* SN_RECORDS_BUFFER bytes, for reading journals */
	struct consumer *consumer; /* NULL: brokerless */
	struct publisher *publisher;
	struct disk *disk;
	struct air *air;     /* NULL: brokerless, or no settings */
	uint64_t sync_batch; /* the last one asked for */
	bool syncing;
	bool full;		 /* no room, or it cannot be written: nothing is consumed */
	unsigned store_failures; /* in a row */
	int store_error;	 /* the last of them */
	unsigned retiring;	 /* items in ITEM_RETIRING */
	int retire_error;	 /* why */
	bool stopping;
	bool resolving;	    /* the outbox names answers that were not read yet */
	char no_queue[256]; /* replies wait because the broker has no such queue; "" none do */
	char why[256];	    /* what keeps us from starting */
	char warning[512];  /* about the password file; "" none */
	bool status_dirty;
	bool run_failed; /* status or taken could not be written: again at the next reconcile */
	int exit_code;
	int64_t started_us;
	int64_t stop_deadline_ns;
	unsigned journals_max; /* open at a time, of one participant */
	unsigned locks;	       /* of items: descriptors */
	double reconcile_s;    /* from one to the next; as old is a journal that is unlinked */
	ev_timer sync_timer, reconcile_timer, retry_timer, room_timer, stop_timer;
	ev_timer poll_timer; /* runs while some participant is busy */
	ev_io inotify_watch;
	ev_async wake; /* from the publisher and the disk thread */
	ev_prepare prepare;
	ev_signal sigterm, sigint, sighup;
};

/* main.c */
bool bridge_brokerless(const struct bridge *b);

/* signals.c */
/* First of all: a HUP waits until somebody listens, instead of ending us. TERM and INT may end a bridge that does nothing yet. */
void signals_hold(void);
void signals_watch(struct bridge *b);
void bridge_stop(struct bridge *b, int exit_code);

/* reload.c: on SIGHUP */
/* Looks at the password file; for the log and the status. */
void bridge_check_secret(struct bridge *b);
void bridge_reload(struct ev_loop *loop, ev_signal *w, int events);

/* participants.c */
struct participant *participant_find(struct bridge *b, const char *name);
/* Reads the home again: adds, updates, marks removed ones stale and drops them. 0, or -EINVAL if some were bad. */
int participants_load(struct bridge *b) SN_CHECK;
/* At each reconcile: those whose spool was removed or replaced, or could not be used, are opened anew. */
void participants_look(struct bridge *b);
/* For the status: a line for each that cannot be used. 0 or -errno. */
int participants_unusable(const struct bridge *b, struct sn_buf *out) SN_CHECK;
/* It cannot be worked on any more. */
void participant_lost(struct participant *p);
void participant_set_error(struct participant *p, const char *fmt, ...) SN_PRINTF(2, 3);

/* item.c */
struct item *item_find(struct participant *p, const char *name);
struct item *item_add(struct participant *p, const char *name);
void item_remove(struct item *it); /* and free */
struct sn_workitem;
/* Fills in fei, ids, forget, size: from a body of len bytes that was read. */
void item_note(struct item *it, const struct sn_workitem *w, size_t len);
/* The same from open/NAME, if it was not done before. 0 or -errno. */
int item_learn(struct item *it) SN_CHECK;
/* WAITING and RETIRING: results_retry() looks at it each second; set retry_at_ns. */
void item_set_state(struct item *it, enum item_state state);
void item_set_unsynced(struct item *it, bool on);
/* results_retry() in a second. */
void item_retry(struct bridge *b);

/* deliver.c */
enum delivered { DELIVERED_KEEP, DELIVERED_ACK, DELIVERED_NO_ROOM };
/* A whole message. KEEP: its tag is acked later; ACK: at once, it is durable or known; NO_ROOM: it could not be stored. */
enum delivered deliver_message(struct participant *p);
/* The delivery at hand belongs to no workitem: it is acked when all that was written is synced. */
enum delivered deliver_aside(struct participant *p, const char *name);
/* It could not be stored. */
enum delivered deliver_failed(struct participant *p, const char *name, int error);
const char *bridge_full_reason(const struct bridge *b);
void recent_add(struct participant *p, const char *name);
void bridge_check_room(struct bridge *b);

/* journals.c */
enum { JOURNALS_MAX = 512 }; /* open at a time, of one participant, where there are descriptors enough */
void journals_share(struct bridge *b, size_t participants);
/* Something happened to an entry of work/result. */
void journals_event(struct participant *p, const char *leaf);
/* Reads on in all that are open, as far as a start, or one turn of the loop, may take; `unread`: there is more. */
void journals_read(struct participant *p, bool all);
/* At each reconcile: what is retired as a whole is unlinked (retire.4). */
void journals_reconcile(struct participant *p);
/* Where others wait for it: what is retired is unlinked at once. */
void journals_make_room(struct participant *p);
/* The item has no answer, or is at its end. */
void journals_forget(struct item *it);
/* Its answer is useless: is there another one? */
bool journals_next_answer(struct item *it);
/* One of what is pending in it is not any more. */
void journals_release(struct journal *j);
void journals_close(struct participant *p);

/* busy.c: hearing of results, by inotify or, where they come densely, by looking each millisecond */
/* The watch on work/result, anew or another one; new journals are heard of in any case. 0 or -errno: as before. */
int busy_watch(struct participant *p, bool modify) SN_CHECK;
/* An event was looked at: are there so many that it is busy? */
void busy_heard(struct participant *p);
void busy_poll(struct ev_loop *loop, ev_timer *w, int events);
void busy_end(struct participant *p); /* it goes */

/* messages.c */
/* A record with a message; `it` may be NULL. False: there are too many, read it again when some are gone. */
bool message_record(struct journal *j, struct item *it, const struct sn_record *rec);
struct job;
void message_done(struct item *it, const struct job *j, unsigned number);
void messages_pump(struct bridge *b); /* to the publisher, as far as it takes them */
void messages_retry(struct bridge *b);
void messages_forget(struct item *it); /* it is at its end */

/* results.c */
unsigned results_backoff_s(unsigned n); /* after n returns */
struct job *job_make(struct participant *p, const char *leaf);
/* The item's answer is in it->journal. */
void results_answered(struct item *it);
/* It goes, whatever its state. */
void results_detach(struct item *it);
/* Its participant goes, and it with it; or it cannot be retired: what the broker has is remembered (gone.h). */
void results_leave(struct item *it);
void results_pump(struct bridge *b);  /* READY → publisher, as far as it takes them */
void results_retry(struct bridge *b); /* WAITING whose time has come */
struct job_list;
void results_jobs_done(struct bridge *b, struct job_list *jobs); /* takes the jobs */

/* rescan.c: all of work/result, now as far as one step goes; the rest in the turns that follow, by rescan_go_on(). */
void results_rescan(struct participant *p);
void rescan_go_on(struct bridge *b);
void rescan_end(struct participant *p);

/* complete.c: an answered workitem is acked and retired */
enum { ITEMS_KEEP_MAX = 256 };
/* retire.1 of several of one participant that go to done/, in few writes; those that it fails for are left to item_complete(). */
void items_keep(struct item *const *items, size_t count);
void item_complete(struct item *it);
/* What a participant wrote and could not be used stays as failed/…/NAME.rejected, the first of several. */
void item_keep_rejected(struct item *it);
/* Turns the result into an error reply, outcome invalid; it is then sent as any other. False: not now. */
bool item_fail_invalid(struct item *it, const char *why);
void item_ack(struct item *it);

/* sync.c */
void sync_start(struct bridge *b);
void sync_done(struct bridge *b, uint64_t batch, int error);
void sync_arm(struct bridge *b);

/* recover.c */
int recover_participant(struct participant *p) SN_CHECK;
void reconcile(struct bridge *b);
double reconcile_every_s(void); /* SKYNET_RECONCILE_S: in test builds only */

/* status.c */
void status_write(struct bridge *b, const char *state);
void status_touch(struct bridge *b);
/* At each reconcile: the file's time says that we do not hang. */
void status_alive(struct bridge *b);

#endif
