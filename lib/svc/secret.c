#include "svc/secret.h"

#include <pwd.h>
#include <sys/stat.h>

#include "base/mem.h"

struct reader { /* who has to read it: the bridge */
	uid_t uid;
	gid_t gid;
};

static struct reader bridge_of(const struct sn_home *h, const struct sn_config *c)
{
	const struct passwd *pw = h->system ? getpwnam(c->skynet.user) : NULL;

	return pw != NULL ? (struct reader){pw->pw_uid, pw->pw_gid} : (struct reader){geteuid(), getegid()};
}

static bool may_read(const struct reader *r, const struct stat *st)
{
	if (r->uid == 0)
		return true;
	if (r->uid == st->st_uid)
		return (st->st_mode & S_IRUSR) != 0;
	return (st->st_mode & (r->gid == st->st_gid ? S_IRGRP : S_IROTH)) != 0;
}

/* What is wrong with who else may read or change it; NULL: nothing. */
static const char *open_to(const struct reader *r, const struct stat *st)
{
	if ((st->st_mode & S_IROTH) != 0)
		return "everybody may read it";
	if ((st->st_mode & S_IRGRP) != 0 && st->st_gid != r->gid && st->st_gid != 0)
		return "a group that is not the bridge's may read it";
	if ((st->st_mode & S_IWOTH) != 0 || ((st->st_mode & S_IWGRP) != 0 && st->st_gid != 0))
		return "others than its owner may change it";
	return NULL;
}

int sn_secret_check(const struct sn_home *h, const struct sn_config *c, char ret_text[SN_SECRET_TEXT_SIZE])
{
	const char *file = c->boss.password_file, *why;
	SN_AUTOFREE char *path = file[0] == '/' ? sn_strdup(file) : sn_asprintf("%s/%s", h->etc, file);
	const struct reader bridge = bridge_of(h, c);
	struct stat st;
	int r = 0;

	ret_text[0] = '\0';
	if (file[0] == '\0' || strcmp(c->boss.host, "none") == 0)
		return 0;
	if (stat(path, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EINVAL;
	else if (!may_read(&bridge, &st))
		r = -EACCES;
	if (r < 0) {
		(void)snprintf(ret_text, SN_SECRET_TEXT_SIZE, "amqp_password_file %s: %s", path,
			       r == -EINVAL   ? "no regular file"
			       : r == -EACCES ? "the bridge may not read it"
					      : strerror(-r));
		return r;
	}
	why = open_to(&bridge, &st);
	if (why == NULL)
		return 0;
	(void)snprintf(ret_text, SN_SECRET_TEXT_SIZE,
		       "amqp_password_file %s: %s; chmod 600, or 640 with the bridge's group", path, why);
	return 1;
}
