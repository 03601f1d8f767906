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

static void ignore(void *arg, bool error, const char *file, unsigned line, const char *text)
{
	(void)arg, (void)error, (void)file, (void)line, (void)text;
}

static bool has_password(const char *path)
{
	struct sn_config_reader rd = {.complain = ignore};
	struct sn_config c;
	bool has;

	sn_config_init(&c);
	has = sn_config_read_file(&c, path, &rd) != -ENOENT && c.boss.password[0] != '\0';
	sn_config_release(&c);
	return has;
}

/* Does a configuration file that holds the password itself keep it to the bridge? As sn_secret_check(). */
static int check_config(const struct sn_home *h, const struct reader *bridge,
			char ret_text[SN_SECRET_TEXT_SIZE])
{
	char **files = sn_home_config_files(h, NULL);
	const char *why = NULL;
	struct stat st;

	for (size_t i = 0; files[i] != NULL && why == NULL; i++) {
		if (stat(files[i], &st) == 0 && S_ISREG(st.st_mode) && has_password(files[i]))
			why = open_to(bridge, &st);
		if (why != NULL)
			(void)snprintf(ret_text, SN_SECRET_TEXT_SIZE,
				       "amqp_pwd in %s: %s; better an amqp_password_file", files[i], why);
	}
	sn_home_files_free(files);
	return why != NULL;
}

static int check_file(const struct reader *bridge, const char *path, char ret_text[SN_SECRET_TEXT_SIZE])
{
	const char *why;
	struct stat st;
	int r = 0;

	if (stat(path, &st) < 0)
		r = -errno;
	else if (!S_ISREG(st.st_mode))
		r = -EINVAL;
	else if (!may_read(bridge, &st))
		r = -EACCES;
	if (r < 0) {
		(void)snprintf(ret_text, SN_SECRET_TEXT_SIZE, "amqp_password_file %s: %s", path,
			       r == -EINVAL   ? "no regular file"
			       : r == -EACCES ? "the bridge may not read it"
					      : strerror(-r));
		return r;
	}
	why = open_to(bridge, &st);
	if (why == NULL)
		return 0;
	(void)snprintf(ret_text, SN_SECRET_TEXT_SIZE,
		       "amqp_password_file %s: %s; chmod 600, or 640 with the bridge's group", path, why);
	return 1;
}

int sn_secret_check(const struct sn_home *h, const struct sn_config *c, char ret_text[SN_SECRET_TEXT_SIZE])
{
	const char *file = c->boss.password_file;
	SN_AUTOFREE char *path = file[0] == '/' ? sn_strdup(file) : sn_asprintf("%s/%s", h->etc, file);
	const struct reader bridge = bridge_of(h, c);
	int r = 0;

	ret_text[0] = '\0';
	if (strcmp(c->boss.host, "none") == 0)
		return 0;
	if (file[0] != '\0')
		r = check_file(&bridge, path, ret_text);
	return r == 0 && c->boss.password[0] != '\0' ? check_config(h, &bridge, ret_text) : r;
}
