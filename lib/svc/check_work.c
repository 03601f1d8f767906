/* What the participant has: the notes in cur/, whose names are the participant's to choose, and work/new of older versions. */
#include <fcntl.h>
#include <sys/stat.h>

#include "spool/claim.h"
#include "svc/check.h"
#include "sys/dir.h"

/* SN_TROUBLES: nothing is wrong with cur/LEAF. */
static enum sn_trouble note_trouble(const struct sn_check *c, const char *leaf)
{
	const struct sn_spool *s = &c->shelf->s;
	char name[SN_NAME_SIZE];
	unsigned attempt;
	struct stat st;

	if (fstatat(s->cur, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return SN_TROUBLES; /* gone meanwhile */
	/* A regular file: the note of an older version. */
	if (sn_attempt_parse(leaf, name, &attempt) < 0 || (!S_ISLNK(st.st_mode) && !S_ISREG(st.st_mode)))
		return SN_FOREIGN;
	if (!sn_check_exists(s->open, name)) /* exo takes it away at its next rescan */
		return c->exo_runs ? SN_TROUBLES : SN_CUR_LEFTOVER;
	return sn_claim_noted(s, name, c->max_attempts) > attempt ? SN_CUR_TWICE : SN_TROUBLES;
}

static int check_note(void *arg, const char *leaf)
{
	struct sn_check *c = arg;
	enum sn_trouble t = note_trouble(c, leaf);

	if (t == SN_TROUBLES)
		return 0;
	if (t != SN_FOREIGN)
		sn_check_pause(c);
	if (note_trouble(c, leaf) == t)
		sn_check_report(c, t, "work/cur", leaf);
	return 0;
}

int sn_check_work(struct sn_check *c)
{
	const struct sn_spool *s = &c->shelf->s;
	int r;

	if (sn_check_exists(s->work, "new"))
		sn_check_report(c, SN_OLD_NEW, "work", "new");
	r = sn_dir_each(s->cur, check_note, c);
	return r < 0 ? r : sn_check_results(c);
}
