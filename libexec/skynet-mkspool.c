/* Makes the spool of a participant, or what is missing of it, with its owners and modes. For `skynet install`. */
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>

#include "spool/spool.h"
#include "svc/cli.h"
#include "sys/dir.h"

static const struct sn_option OPTIONS[] = {{0}};
static const struct sn_command COMMAND = {"skynet-mkspool", "NAME", "Makes the spool of a participant.",
					  OPTIONS};

/* 0 or an exit code. */
static int find_owner(const struct sn_home *h, const char *name, struct sn_spool_owner *ret)
{
	struct sn_config c;
	struct sn_config_reader rd = {.complain = sn_command_complain};
	const struct passwd *pw;
	const struct group *adm = getgrnam("adm");
	int r = sn_home_config(h, name, &rd, &c), code = 0;

	*ret = (struct sn_spool_owner){(uid_t)-1, (gid_t)-1, (gid_t)-1, (gid_t)-1};
	if (r == -ENOENT)
		code = sn_command_fail(&COMMAND, SN_EXIT_UNKNOWN, "%s: no such participant", name);
	else if (r < 0)
		code = SN_EXIT_CONFIG;
	if (code == 0 && h->system) {
		pw = getpwnam(c.skynet.user);
		if (pw == NULL)
			code = sn_command_fail(&COMMAND, SN_EXIT_CONFIG, "user %s: no such user",
					       c.skynet.user);
		else
			*ret = (struct sn_spool_owner){pw->pw_uid, pw->pw_gid, pw->pw_gid, (gid_t)-1};
		if (adm != NULL)
			ret->adm = adm->gr_gid;
		pw = code == 0 ? getpwnam(c.participant.user) : NULL;
		if (pw == NULL && code == 0)
			code = sn_command_fail(&COMMAND, SN_EXIT_CONFIG, "user '%s': no such user",
					       c.participant.user);
		else if (pw != NULL)
			ret->participant = pw->pw_gid;
	}
	sn_config_release(&c);
	return code;
}

static int make(const struct sn_home *h, const char *name)
{
	struct sn_spool_owner owner;
	SN_AUTOFD int dir = -1;
	int code = find_owner(h, name, &owner), r;

	if (code != 0)
		return code;
	r = mkdir(h->spool, 0755) < 0 && errno != EEXIST ? -errno : 0;
	if (r == 0)
		r = dir = sn_dir_open(AT_FDCWD, h->spool);
	if (r >= 0)
		r = sn_spool_make(dir, name, &owner);
	if (r < 0)
		return sn_command_fail(&COMMAND,
				       r == -EACCES || r == -EPERM ? SN_EXIT_PERMISSION : SN_EXIT_FAILED,
				       "spool %s/%s: %s", h->spool, name, strerror(-r));
	return 0;
}

int main(int argc, char **argv)
{
	struct sn_cli cli = {.command = &COMMAND};
	struct sn_home h;
	int code;

	while (sn_cli_next(&cli, argc, argv) != -1)
		continue; /* --home and --help only */
	if (optind + 1 != argc)
		return sn_command_usage(&COMMAND, "one NAME is needed");
	code = sn_command_home(&COMMAND, cli.home_option, &h);
	if (code != 0)
		return code;
	code = make(&h, argv[optind]);
	sn_home_release(&h);
	return code;
}
