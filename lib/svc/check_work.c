/* What the participant has: new/ and cur/. All names in there are the participant's to choose. */
#include <fcntl.h>
#include <sys/stat.h>

#include "svc/check.h"
#include "sys/dir.h"

static bool differs(const struct sn_check *c, int dir, const char *leaf, const char *name)
{
	struct stat a, b;

	if (fstatat(dir, leaf, &a, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fstatat(c->shelf->s.open, name, &b, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return a.st_ino != b.st_ino || a.st_dev != b.st_dev;
}

/* The attempt in cur/ other than `but`, the highest; 0: none. */
static unsigned attempt_in_cur(const struct sn_check *c, const char *name, unsigned but)
{
	char leaf[SN_ATTEMPT_SIZE];

	for (unsigned a = c->max_attempts + 1; a > 0; a--) {
		sn_attempt_format(name, a, leaf);
		if (a != but && sn_check_exists(c->shelf->s.cur, leaf))
			return a;
	}
	return 0;
}

/* What is wrong with new/NAME, SN_TROUBLES if nothing. */
static enum sn_trouble new_trouble(const struct sn_check *c, const char *name)
{
	const struct sn_spool *s = &c->shelf->s;

	if (!sn_check_exists(s->new, name))
		return SN_TROUBLES;
	switch (sn_check_standing(c, name)) {
	case SN_STANDS_FINISHED:
		return SN_NEW_LEFTOVER;
	case SN_STANDS_UNKNOWN:
		return SN_NEW_ORPHAN;
	case SN_STANDS_OPEN:
		break;
	}
	if (differs(c, s->new, name, name))
		return SN_NEW_DIFFERS;
	return attempt_in_cur(c, name, 0) > 0 && sn_check_exists(s->new, name) ? SN_NEW_DOUBLE : SN_TROUBLES;
}

static int check_new(void *arg, const char *leaf)
{
	struct sn_check *c = arg;
	enum sn_trouble t;

	if (!sn_name_valid(leaf)) {
		sn_check_report(c, SN_FOREIGN, "work/new", leaf);
		return 0;
	}
	t = new_trouble(c, leaf);
	if (t == SN_TROUBLES)
		return 0;
	sn_check_pause(c);
	if (new_trouble(c, leaf) == t)
		sn_check_report(c, t, "work/new", leaf);
	return 0;
}

static enum sn_trouble cur_trouble(const struct sn_check *c, const char *leaf)
{
	char name[SN_NAME_SIZE];
	unsigned attempt;

	if (sn_attempt_parse(leaf, name, &attempt) < 0)
		return SN_FOREIGN;
	if (!sn_check_exists(c->shelf->s.cur, leaf))
		return SN_TROUBLES;
	switch (sn_check_standing(c, name)) {
	case SN_STANDS_FINISHED:
		return SN_CUR_LEFTOVER;
	case SN_STANDS_UNKNOWN:
		return SN_CUR_ORPHAN;
	case SN_STANDS_OPEN:
		break;
	}
	if (differs(c, c->shelf->s.cur, leaf, name))
		return SN_CUR_DIFFERS;
	return attempt_in_cur(c, name, attempt) > attempt ? SN_CUR_TWICE : SN_TROUBLES;
}

static int check_cur(void *arg, const char *leaf)
{
	struct sn_check *c = arg;
	enum sn_trouble t = cur_trouble(c, leaf);

	if (t == SN_TROUBLES)
		return 0;
	if (t != SN_FOREIGN)
		sn_check_pause(c);
	if (cur_trouble(c, leaf) == t)
		sn_check_report(c, t, "work/cur", leaf);
	return 0;
}

int sn_check_work(struct sn_check *c)
{
	const struct sn_spool *s = &c->shelf->s;
	int r;

	if ((r = sn_dir_each(s->new, check_new, c)) < 0 || (r = sn_dir_each(s->cur, check_cur, c)) < 0)
		return r;
	return sn_check_results(c);
}
