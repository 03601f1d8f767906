/* For the run scripts of services, before they give up root: makes run/NAME (with --log: log/NAME and svlogd's
 * configuration) with the right owner and prints who the program shall run as, for `chpst -u` (a local home: nothing).
 * A wrong configuration goes to NAME's state file as well, and exits 78. */
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/mem.h"
#include "svc/cli.h"
#include "svc/service.h"
#include "sys/dir.h"

enum { OPT_LOG = SN_OPT_FIRST, OPT_LIMITS, GROUPS_MAX = 64, AS_MAX = 1024, REASON_MAX = 1024 };

static const struct sn_option OPTIONS[] = {
	{OPT_LOG, "log", NULL, "prepare the log service"},
	{OPT_LIMITS, "limits", NULL, "only print options for chpst: limits"},
	{0}};
static const struct sn_command COMMAND = {
	"skynet-prepare", "[--log | --limits] NAME",
	"For the run scripts: makes directories, prints user and groups for chpst.", OPTIONS};

struct who {
	uid_t uid;
	gid_t gid;
	struct sn_buf as; /* ":uid:gid:gid…" */
};

struct first_reason {
	char text[REASON_MAX];
	bool quiet;
};

static void complain(void *arg, bool error, const char *file, unsigned line, const char *text)
{
	struct first_reason *why = arg;

	if (!error || why->quiet)
		return;
	sn_err("%s:%u: %s", file, line, text);
	if (why->text[0] == '\0')
		(void)snprintf(why->text, sizeof why->text, "%s:%u: %s", file, line, text);
}

static int find_user(const char *user, struct who *ret)
{
	const struct passwd *pw = getpwnam(user);

	if (pw == NULL)
		return -ENOENT;
	ret->uid = pw->pw_uid;
	ret->gid = pw->pw_gid;
	return sn_buf_addf(&ret->as, ":%lu:%lu", (unsigned long)pw->pw_uid, (unsigned long)pw->pw_gid);
}

static int add_groups(struct who *who, const char *groups)
{
	SN_AUTOFREE char *copy = sn_strdup(groups);
	char *rest = copy, *name;
	const struct group *gr;
	int r = 0, count = 0;

	while (r == 0 && (name = strsep(&rest, ": ,")) != NULL) {
		if (name[0] == '\0')
			continue;
		gr = getgrnam(name);
		if (gr == NULL || count++ == GROUPS_MAX)
			return -ENOENT;
		r = sn_buf_addf(&who->as, ":%lu", (unsigned long)gr->gr_gid);
	}
	return r;
}

/* Makes dir/leaf and opens it; in the system home it then belongs to who. */
static int make_dir(const char *dir, const char *leaf, const struct sn_home *h, const struct who *who,
		    mode_t mode)
{
	SN_AUTOFD int top = -1, fd = -1;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	top = sn_dir_open(AT_FDCWD, dir);
	if (top < 0)
		return top;
	fd = sn_dir_make_open(top, leaf, mode);
	if (fd < 0)
		return fd;
	if (h->system && (fchown(fd, who->uid, who->gid) < 0 || fchmod(fd, mode) < 0))
		return -errno;
	return sn_fd_steal(&fd);
}

/* The bridge's group, which may look at locks; that of nobody else where there is no such user yet. */
static gid_t bridge_group(const struct sn_config *c, const struct who *who)
{
	const struct passwd *pw = getpwnam(c->skynet.user);

	return pw == NULL ? who->gid : pw->pw_gid;
}

/* Opens the lock that is there. One that is not who's (its user was changed, or it is no file) is taken away, unless somebody
 * holds it. The descriptor, -ENOENT where there is none (any more), or -errno. */
static int open_lock(int dir, const struct who *who)
{
	SN_AUTOFD int fd = openat(dir, "lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno != ELOOP)
		return -errno;
	if (fd >= 0) {
		if (fstat(fd, &st) < 0)
			return -errno;
		if (S_ISREG(st.st_mode) && st.st_uid == who->uid)
			return sn_fd_steal(&fd);
		if (flock(fd, LOCK_EX | LOCK_NB) < 0)
			return -errno;
	}
	return unlinkat(dir, "lock", 0) < 0 ? -errno : -ENOENT;
}

/* A service's lock is its user's, and no other participant may open it: it could hold it for ever. */
static int hand_over_lock(int dir, const struct who *who, gid_t group)
{
	SN_AUTOFD int fd = open_lock(dir, who);

	if (fd == -ENOENT) {
		fd = openat(dir, "lock", O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return -errno;
	}
	if (fd < 0)
		return fd;
	return fchown(fd, who->uid, group) < 0 || fchmod(fd, 0640) < 0 ? -errno : 0;
}

/* run/NAME, in the system home with its lock. The directory, or -errno. */
static int make_run_dir(const struct sn_home *h, const char *name, const struct who *who, gid_t group)
{
	SN_AUTOFD int dir = make_dir(h->run, name, h, who, 0755);
	int r;

	if (dir < 0)
		return dir;
	r = h->system ? hand_over_lock(dir, who, group) : 0;
	if (r < 0 && r != -EWOULDBLOCK) /* held: by what runs under the former user */
		sn_err("%s/%s/lock: %s", h->run, name, strerror(-r)); /* the program says what that means */
	return sn_fd_steal(&dir);
}

/* Writes why into run/NAME/status; the directory may be the participant's: never through a link. */
static int refuse(const struct sn_home *h, const char *name, char *why)
{
	char state[] = "config-error";
	struct sn_status s = {
		.state = state, .since_us = sn_clock_real_us(), .reason = why, .code = SN_EXIT_CONFIG};
	SN_AUTOFREE char *path = sn_asprintf("%s/%s", h->run, name);
	SN_AUTOFD int dir = -1;
	int r;

	if (mkdir(h->run, 0755) < 0 && errno != EEXIST)
		sn_err("cannot make %s: %s", h->run, strerror(errno));
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		sn_err("cannot make %s: %s", path, strerror(errno));
	dir = sn_dir_open(AT_FDCWD, path);
	r = dir < 0 ? dir : sn_status_write(dir, &s);
	if (r < 0)
		sn_err("cannot write %s/status: %s", path, strerror(-r));
	return SN_EXIT_CONFIG;
}

/* Reads who the service runs as. 0 or -errno with a reason. */
static int find_who(const struct sn_config *c, const char *name, struct who *who, char why[REASON_MAX])
{
	bool bridge = strcmp(name, SN_BRIDGE_NAME) == 0;
	const char *user = bridge ? c->skynet.user : c->participant.user;
	int r;

	if (user[0] == '\0') {
		(void)snprintf(why, REASON_MAX, "[participant] user is not set");
		return -EINVAL;
	}
	r = find_user(user, who);
	if (r < 0) {
		(void)snprintf(why, REASON_MAX, "user %s: no such user", user);
		return r;
	}
	r = bridge ? 0 : add_groups(who, c->participant.groups);
	if (r < 0)
		(void)snprintf(why, REASON_MAX, "groups = %s: a group does not exist", c->participant.groups);
	return r;
}

/* history.db is the bridge's, adm may read it; and there may be no participant yet whose spool made spool/. */
static int make_bridge_dirs(const struct sn_home *h, const struct who *who)
{
	const struct group *adm = getgrnam("adm");
	SN_AUTOFD int lib = -1;

	if ((mkdir(h->spool, 0755) < 0 && errno != EEXIST) || (mkdir(h->lib, 0755) < 0 && errno != EEXIST))
		return -errno;
	lib = sn_dir_open(AT_FDCWD, h->lib);
	if (lib < 0)
		return lib;
	if (!h->system)
		return 0;
	return fchown(lib, who->uid, adm != NULL ? adm->gr_gid : who->gid) < 0 || fchmod(lib, 02755) < 0
		       ? -errno
		       : 0;
}

static int prepare_service(const struct sn_home *h, const char *name, struct who *who)
{
	struct first_reason why = {0};
	struct sn_config_reader rd = {.complain = complain, .arg = &why};
	struct sn_config c;
	SN_AUTOFD int dir = -1;
	bool bridge = strcmp(name, SN_BRIDGE_NAME) == 0;
	gid_t group = 0;
	int r = sn_home_config(h, bridge ? NULL : name, &rd, &c);

	if (r == 0 && h->system)
		r = find_who(&c, name, who, why.text);
	if (r == 0 && h->system)
		group = bridge_group(&c, who);
	sn_config_release(&c);
	if (r < 0) {
		if (why.text[0] == '\0')
			(void)snprintf(why.text, sizeof why.text, "configuration: %s", strerror(-r));
		if (rd.errors == 0) /* else they were said */
			sn_err("%s: %s", name, why.text);
		return refuse(h, name, why.text);
	}
	dir = make_run_dir(h, name, who, group);
	if (dir < 0)
		return sn_command_fail(&COMMAND, SN_EXIT_TEMPORARY, "%s/%s: %s", h->run, name,
				       strerror(-dir));
	r = bridge ? make_bridge_dirs(h, who) : 0;
	if (r < 0)
		return sn_command_fail(&COMMAND, SN_EXIT_TEMPORARY, "%s or %s: %s", h->spool, h->lib,
				       strerror(-r));
	return 0;
}

/* svlogd's: size, number of old files, and the number that may be sacrificed to on a full disk (always set:
 * without it svlogd waits for ever and ignores TERM). */
static int write_log_config(int dir, const struct sn_config *c)
{
	struct sn_buf b = SN_BUF(4096);
	uint64_t min = c->skynet.log_min_free, count = c->skynet.log_count;
	int r;

	if (count > 0 && min >= count)
		min = count > 1 ? count - 1 : 1;
	r = sn_buf_addf(&b, "s%llu\nn%llu\nN%llu\n", (unsigned long long)c->skynet.log_size,
			(unsigned long long)count, (unsigned long long)min);
	if (r == 0)
		r = sn_dir_replace(dir, "config", b.data, b.len);
	sn_buf_release(&b);
	return r;
}

/* A log must be there to say what is wrong with the configuration: what is wrong in it is passed over here. */
static int prepare_log(const struct sn_home *h, const char *name, struct who *who)
{
	struct first_reason why = {.quiet = true};
	struct sn_config_reader rd = {.complain = complain, .arg = &why};
	const struct group *adm = getgrnam("adm");
	struct sn_config c;
	SN_AUTOFD int dir = -1;
	int r = sn_home_config(h, strcmp(name, SN_BRIDGE_NAME) == 0 ? NULL : name, &rd, &c);

	if (r < 0 && r != -EINVAL)
		sn_err("%s: configuration: %s", name, strerror(-r));
	r = h->system ? find_user(c.skynet.log_user, who) : 0;
	if (r == 0 && h->system && adm != NULL)
		who->gid = adm->gr_gid;
	if (r == 0) {
		dir = make_dir(h->log, name, h, who, h->system ? 02750 : 0755);
		r = dir < 0 ? dir : write_log_config(dir, &c);
	} else {
		sn_err("log_user %s: no such user", c.skynet.log_user);
	}
	sn_config_release(&c);
	if (r < 0)
		return sn_command_fail(&COMMAND, SN_EXIT_TEMPORARY, "log of %s: %s", name, strerror(-r));
	return 0;
}

/* "-d BYTES -o FILES -t SECONDS", what is set of them. A wrong configuration was told by prepare_service(). */
static int print_limits(const struct sn_home *h, const char *name)
{
	struct first_reason why = {.quiet = true};
	struct sn_config_reader rd = {.complain = complain, .arg = &why};
	struct sn_config c;
	int r = sn_home_config(h, name, &rd, &c);
	const struct {
		const char *option;
		unsigned long long value;
	} LIMITS[] = {{"-d", (unsigned long long)c.participant.limit_data_mb << 20},
		      {"-o", c.participant.limit_files},
		      {"-t", c.participant.limit_cpu_s}};

	for (size_t i = 0; r == 0 && i < SN_COUNT(LIMITS); i++) {
		if (LIMITS[i].value > 0)
			printf("%s %llu\n", LIMITS[i].option, LIMITS[i].value);
	}
	sn_config_release(&c);
	return r < 0 ? SN_EXIT_CONFIG : 0;
}

int main(int argc, char **argv)
{
	struct sn_cli cli = {.command = &COMMAND};
	struct sn_home h;
	struct who who = {.as = SN_BUF(AS_MAX)};
	bool log = false, limits = false;
	int code, c;

	while ((c = sn_cli_next(&cli, argc, argv)) != -1) {
		log = log || c == OPT_LOG;
		limits = limits || c == OPT_LIMITS;
	}
	if (optind + 1 != argc)
		return sn_command_usage(&COMMAND, "one NAME is needed");
	code = sn_command_home(&COMMAND, cli.home_option, &h);
	if (code != 0)
		return code;
	if (limits) {
		code = print_limits(&h, argv[optind]);
		sn_home_release(&h);
		return code != 0 ? code : sn_command_flush(&COMMAND);
	}
	if (h.system)
		umask(022);
	code = log ? prepare_log(&h, argv[optind], &who) : prepare_service(&h, argv[optind], &who);
	if (code == 0 && h.system)
		puts(who.as.data);
	sn_buf_release(&who.as);
	sn_home_release(&h);
	return code != 0 ? code : sn_command_flush(&COMMAND);
}
