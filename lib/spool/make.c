/* The directories of a spool: made, and given to whom they belong (docs/SPOOL.md, section 1). */
#include <fcntl.h>
#include <sys/stat.h>

#include "spool/spool.h"
#include "sys/dir.h"
#include "sys/posix_acl.h"

static const struct sn_spool_layout LAYOUT[] = {
	{".", 0751, SN_GROUP_ADM, false},
	{"open", 02750, SN_GROUP_PARTICIPANT, true},
	{"done", 02750, SN_GROUP_ADM, false},
	{"failed", 02750, SN_GROUP_ADM, false},
	{"work", 0750, SN_GROUP_PARTICIPANT, false},
	{"work/cur", 02770, SN_GROUP_PARTICIPANT, false},
	{"work/result", 02777, SN_GROUP_SKYNET, false},
};

const struct sn_spool_layout *sn_spool_layout(size_t *ret_count)
{
	*ret_count = SN_COUNT(LAYOUT);
	return LAYOUT;
}

gid_t sn_spool_group(const struct sn_spool_owner *owner, enum sn_spool_group group)
{
	if (group == SN_GROUP_ADM)
		return owner->adm;
	return group == SN_GROUP_PARTICIPANT ? owner->participant : owner->skynet_group;
}

void sn_spool_acl(gid_t adm, char ret_text[SN_SPOOL_ACL_SIZE])
{
	(void)snprintf(ret_text, SN_SPOOL_ACL_SIZE, "u::rwx,g::r-x,g:%ju:r-x,m::r-x,o::---",
		       (uintmax_t)adm); /* fits */
}

static int let_adm_read(int fd, gid_t adm)
{
	char text[SN_SPOOL_ACL_SIZE];
	int r;

	if (adm == (gid_t)-1)
		return 0;
	sn_spool_acl(adm, text);
	r = sn_acl_set(fd, text);
	return r == -EOPNOTSUPP ? 0 : r; /* then adm does without */
}

static int make_one(int root, const struct sn_spool_layout *l, const struct sn_spool_owner *owner)
{
	SN_AUTOFD int fd = -1;

	if (strcmp(l->path, ".") != 0 && mkdirat(root, l->path, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(root, l->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fchown(fd, owner->skynet, sn_spool_group(owner, l->group)) < 0 || fchmod(fd, l->mode) < 0)
		return -errno;
	return l->adm_too ? let_adm_read(fd, owner->adm) : 0;
}

int sn_spool_make(int spooldir, const char *participant, const struct sn_spool_owner *owner)
{
	SN_AUTOFD int root = -1;
	int r = 0;

	if (!sn_participant_valid(participant))
		return -EINVAL;
	root = sn_dir_make_open(spooldir, participant, 0751);
	if (root < 0)
		return root;
	for (size_t i = 0; r == 0 && i < SN_COUNT(LAYOUT); i++)
		r = make_one(root, &LAYOUT[i], owner);
	return r;
}
