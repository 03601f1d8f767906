/* Checking a spool against docs/SPOOL.md: every state that the page does not have, or that a crash leaves (section 4).
 *
 *	struct sn_check c = {.shelf = …, .found = print, .arg = …};
 *	r = sn_check_layout(&c, spooldir) … sn_check_open(&c), sn_check_work(&c), sn_check_finished(&c)
 *
 * Each calls `found` for each finding, which may call sn_check_repair() there and then. While the bridge or exo runs,
 * what could be a step of theirs is looked at twice. 0 or -errno. */
#ifndef SN_CHECK_SPOOL_H
#define SN_CHECK_SPOOL_H

#include "svc/items.h"

enum sn_fix {
	SN_FIX_NONE,   /* a person must decide */
	SN_FIX_SAFE,   /* while everything runs */
	SN_FIX_BRIDGE, /* only while the bridge is stopped (which does most of them itself when it starts) */
	SN_FIX_EXO,    /* only while the participant is stopped */
};

enum sn_trouble {
	SN_LAYOUT_MISSING,
	SN_LAYOUT_KIND,
	SN_LAYOUT_MODE,
	SN_LAYOUT_OWNER,
	SN_LAYOUT_ACL,
	SN_LAYOUT_DEVICE,
	SN_FOREIGN,
	SN_OLD_NEW,
	SN_OPEN_KIND,
	SN_OPEN_SHORT,
	SN_OPEN_DAMAGED,
	SN_OPEN_FINISHED,
	SN_FILE_MODE,
	SN_FILE_OWNER,
	SN_HOLD_STALE,
	SN_HOLD_OTHER,
	SN_AGAIN_STALE,
	SN_CANCEL_STALE,
	SN_CANCEL_DAMAGED,
	SN_CUR_LEFTOVER,
	SN_CUR_TWICE,
	SN_RESULT_LEFTOVER,
	SN_RESULT_ORPHAN,
	SN_RESULT_BAD,
	SN_DONE_BUCKET,
	SN_DONE_ALONE,
	SN_DONE_DAMAGED,
	SN_DONE_RESULT,
	SN_TROUBLES,
};

struct sn_trouble_kind {
	const char *code, *meaning, *repair; /* repair: NULL if there is none */
	enum sn_fix fix;
};
const struct sn_trouble_kind *sn_trouble_kind(enum sn_trouble t);

struct sn_finding {
	enum sn_trouble trouble;
	const char *path;	 /* below spool/NAME; bytes as the participant chose them */
	char name[SN_NAME_SIZE]; /* "" if it is about no workitem */
	unsigned attempt;
};

struct sn_check {
	struct sn_shelf *shelf;
	struct sn_spool_owner owner; /* expected; (uid_t)-1: whoever owns open/ */
	int spooldir;
	bool deep; /* what is finished is read, too, and its digests compared */
	bool bridge_runs, exo_runs;
	unsigned max_attempts;
	unsigned pauses; /* so far */
	void (*found)(void *arg, struct sn_check *c, const struct sn_finding *f);
	void *arg;
};

/* Directories. 1 if the rest cannot be checked before that is repaired. */
int sn_check_layout(struct sn_check *c) SN_CHECK;
int sn_check_open(struct sn_check *c) SN_CHECK;
int sn_check_work(struct sn_check *c) SN_CHECK;
int sn_check_finished(struct sn_check *c) SN_CHECK;
/* Repairs one finding; the caller has seen that its sn_fix allows it. 0; -ENOTSUP; -errno. */
int sn_check_repair(struct sn_check *c, const struct sn_finding *f) SN_CHECK;

/* For the parts of the check: reports trouble at dir/leaf; with a record of workitem `name` in the journal dir/leaf. */
void sn_check_report(struct sn_check *c, enum sn_trouble trouble, const char *dir, const char *leaf);
void sn_check_report_record(struct sn_check *c, enum sn_trouble trouble, const char *dir, const char *leaf,
			    const char *name);
/* What the ledger says of a name. */
enum sn_standing { SN_STANDS_OPEN, SN_STANDS_FINISHED, SN_STANDS_UNKNOWN };
enum sn_standing sn_check_standing(const struct sn_check *c, const char *name);
/* Lets a step of a daemon that runs come to its end. */
void sn_check_pause(struct sn_check *c);
bool sn_check_exists(int dir, const char *leaf);
/* The part of sn_check_work() that is about the journals in work/result (check_result.c). */
int sn_check_results(struct sn_check *c) SN_CHECK;

#endif
