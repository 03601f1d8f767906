/* Between fork and exec: what docs/WORKER.md says a worker starts with. */
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "exo.h"
#include "svc/programs.h"

enum {
	FIRST_SAFE_FD = 16,
	FD_NULL = 0,
	FD_OUT = 1,
	FD_ERR = 2,
	FD_WORK = 3,
	FD_CONTROL = 4,
	FD_SLOT1 = 5,
	FD_LOCK = 6
};

static SN_NORETURN void die(const char *what)
{
	sn_err("cannot start a worker: %s: %s", what, strerror(errno));
	_exit(SN_EXIT_TEMPORARY);
}

static void place_fds(const struct worker *w, const struct spawn_fds *fds)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int from[] = {null,	  fds->output[0], fds->output[0], fds->work,
			    fds->control, fds->output[1], w->x->lock_fd};
	int high[SN_COUNT(from)];

	for (size_t i = 0; i < SN_COUNT(from); i++) { /* out of the way first */
		high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, FIRST_SAFE_FD);
		if (high[i] < 0)
			die("descriptors");
	}
	for (size_t i = 0; i < SN_COUNT(from); i++) {
		if (dup2(high[i], (int)i) < 0)
			die("descriptors");
	}
}

static void reset_signals(void)
{
	struct sigaction dfl = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		(void)sigaction(s, &dfl, NULL); /* EINVAL for KILL, STOP and libc's own */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* exo's own; HOME, USER and LOGNAME of its uid; the files; SKYNET_*. */
static int set_environment(const struct worker *w)
{
	const struct passwd *pw = getpwuid(getuid()); /* NULL: a bare number, as in containers */

	if (setenv("HOME", pw != NULL ? pw->pw_dir : "/", 1) < 0 ||
	    (pw != NULL && (setenv("USER", pw->pw_name, 1) < 0 || setenv("LOGNAME", pw->pw_name, 1) < 0)))
		return -errno;
	if (sn_env_apply(w->trial ? &w->x->reload.env : &w->x->env) < 0 ||
	    setenv("SKYNET_WORKER", w->id, 1) < 0 || setenv("SKYNET_PARTICIPANT", w->x->name, 1) < 0)
		return -errno;
	return 0;
}

static SN_NORETURN void child(const struct worker *w, const struct spawn_fds *fds, pid_t parent)
{
	const struct exo *x = w->x;
	const struct sn_config *config = w->trial ? &x->reload.config : &x->config;
	const char *program = sn_programs_worker(config->participant.code);
	char path[PATH_MAX];

	sn_log_set_sink(NULL);
	(void)setpgid(0, 0); /* the first in its group: cannot fail */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		die("PR_SET_PDEATHSIG");
	if (getppid() != parent)
		_exit(SN_EXIT_TEMPORARY); /* exo died before the signal was asked for */
	reset_signals();
	place_fds(w, fds);
	limits_restore(x);
	if (chdir(x->service_dir) < 0)
		die(x->service_dir);
	if (set_environment(w) < 0)
		die("environment");
	(void)snprintf(path, sizeof path, "%s/%s", x->worker_dir, program); /* as long as our own */
	if (w->trial)
		(void)execl(path, program, "--check", "--home", x->home.root, x->name, (char *)NULL);
	else
		(void)execl(path, program, "--home", x->home.root, x->name, (char *)NULL);
	die(path);
}

pid_t spawn(const struct worker *w, const struct spawn_fds *fds)
{
	pid_t parent = getpid(), pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		child(w, fds, parent);
	(void)setpgid(pid, pid); /* whoever is first; EACCES once it has called exec */
	return pid;
}
