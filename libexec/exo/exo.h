/* The exoskeleton of one participant: claims workitems, keeps its workers running, tags what they print
 * (docs/WORKER.md, docs/SPOOL.md). One thread, one libev loop; every step below is called from a callback of
 * it and never blocks.
 *
 * Where things are: main.c (arguments), setup.c (start, end), lifecycle.c (signals), intake.c (what waits), note.c (which
 * attempt it is), dispatch.c (what goes to whom), worker.c and spawn.c (processes), talk.c (their messages), death.c (how they end), short.c (what
 * an end of exo cuts short), crash.c (the answer for what they took along), strays.c (what they leave behind), slot.c,
 * tag.c, output.c (log lines), limits.c (of its workers), limit.c (time_limit), reload.c (HUP), hear.c (what workers say),
 * answer.c (results by exo), answered.c (which there are).
 * The control socket (docs/CONTROL.md) is control.c (clients), peer.c (who may ask), request.c (what they ask), enquiry.c
 * (status), ask.c (what handlers are asked), cancel.c and withdraw.c, procs.c (stacks). Not here: AIR, which is the
 * bridge's. */
#ifndef EXO_EXO_H
#define EXO_EXO_H

#include <ev.h>
#include <sys/resource.h>

#include "answered.h"
#include "control.h"
#include "data/config.h"
#include "items.h"
#include "output.h"
#include "reload.h"
#include "slot.h"
#include "spool/claim.h"
#include "spool/spool.h"
#include "svc/envfile.h"
#include "worker.h"

enum { EXO_INSTANCES_MAX = 256, EXO_TAILS_MAX = 256, EXO_REASON_SIZE = 256, EXO_LIMITS = 3 };

enum exo_phase {
	EXO_RUNNING,
	EXO_STOPPING, /* TERM: running work is waited for */
	EXO_KILLING,  /* grace is over: waiting for the kernel only */
};

struct exo {
	struct ev_loop *loop;
	const char *name; /* the participant's */
	struct sn_home home;
	struct sn_config config;
	struct sn_env env;
	struct sn_spool spool;
	char *service_dir, *worker_dir;
	int run_fd, lock_fd, spools_fd;
	struct rlimit limits[EXO_LIMITS]; /* of the workers */

	enum exo_phase phase;
	int exit_code;
	bool look;    /* something changed: dispatch before the loop sleeps again */
	bool paused;  /* the log is congested: pipes are not read */
	bool no_room; /* a result could not be stored: nothing runs until there is room */

	struct output out;
	struct queue queue;	  /* what waits in open/ */
	struct item_list claimed; /* taken from there, or back from a worker */
	struct lately answered;
	struct deaths deaths;
	struct control control;
	struct reload reload;
	struct worker *workers[EXO_INSTANCES_MAX];
	unsigned worker_count; /* of the array, those that are to go included */
	unsigned generation;
	struct slot *tails; /* pipes of finished workitems whose children still print */
	unsigned tail_count;

	int inotify;
	ev_io inotify_io;
	ev_timer rescan, note, end, die, room, strays;
	ev_prepare before_sleep;
	ev_signal term, interrupt, hangup, child;
	double room_delay;
	unsigned long long room_bytes;
	unsigned stray_rounds, interrupts;
	size_t scan_from; /* so many in open/ were looked at by earlier scans: there are too many for one */

	unsigned restarts;
	const char *state; /* as last written */
	unsigned ready_workers;
	int64_t since_us;
	char reason[EXO_REASON_SIZE], written_reason[EXO_REASON_SIZE];
	bool status_failed;
	unsigned written_reloads;
};

/* setup.c */
int exo_start(struct exo *x) SN_CHECK; /* 0 or an exit code; then the loop can run */
void exo_end(struct exo *x, int code);
/* limits.c */
void limits_lift(struct exo *x);
void limits_restore(const struct exo *x); /* in a child */
/* lock.c: waits for another exo, or its workers, to let go. 0, or an exit code; -1: told to stop meanwhile. */
int exo_lock(struct exo *x) SN_CHECK;
/* lifecycle.c */
void exo_signals_start(struct exo *x);
void exo_fail(struct exo *x, int code, const char *why); /* ends the loop, workers are killed */
void exo_check_finished(struct exo *x);			 /* ends the loop when nothing is left to stop */
void exo_resize(struct exo *x);				 /* as many workers as configured */
/* status.c */
void exo_status(struct exo *x);
void exo_status_write(struct exo *x, const char *state, int code, const char *reason);
void exo_status_again(struct exo *x); /* if it could not be written the last time */
/* intake.c */
void unlink_quietly(int dirfd,
		    const char *leaf); /* what is left is found again by a rescan or the next start */
void intake_start(struct exo *x);
void intake_stop(struct exo *x);
void intake_look(struct exo *x); /* through open/, for what waits and was not heard of */
/* The next attempt, or, past max_attempts, the error reply. */
void intake_resume(struct exo *x, const struct item *it);
/* note.c: which attempt it is, in cur/ (claim.3) */
void note_start(struct exo *x);
void note_begin(struct exo *x); /* a worker begins with a workitem */
void note_attempt(struct exo *x, struct item *it);
/* It has its answer. */
void note_answered(struct exo *x, const struct item *it);
/* It is not begun after all. */
void note_unbegun(struct exo *x, const struct item *it);
void note_tidy(struct exo *x); /* those of what is not open any more */
/* dispatch.c */
void exo_dispatch(struct exo *x);
struct item *exo_held(const struct exo *x, const char *name); /* NULL: not in hand */
void exo_take_back(struct worker *w);			      /* what it has not read */
void exo_give_back(struct exo *x);			      /* everything that no worker has begun */
/* room.c */
void room_wait(struct exo *x, unsigned long long bytes, int err);
void room_start(struct exo *x);
/* strays.c */
void strays_kill(struct exo *x);     /* of workers that have gone */
void strays_kill_all(struct exo *x); /* every child there is */
void strays_start(struct exo *x);
/* death.c */
void death_reap(struct exo *x);
/* short.c: one more orderly end has cut it short. Returns how many that makes. */
unsigned long short_add(const struct exo *x, const char *name) SN_CHECK;
/* crash.c: the error reply for a workitem that ended its worker max_attempts times. */
void crash_answer(struct exo *x, const struct item *it, const char *why, const struct ring *ring);
void crash_report(const struct item *it, const char *why, const struct ring *ring);

#endif
