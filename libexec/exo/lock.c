/* One exo works on a spool. Its workers inherit the lock, so a new exo also waits for what an old one left running. */
#include "sys/lock.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "exo.h"
#include "svc/status.h"

static const struct timespec RETRY = {.tv_nsec = 100000000};

/* The status file is the other exo's as long as that lives. */
static bool other_lives(const struct exo *x)
{
	struct sn_status s = {0};
	bool lives = sn_status_read(x->run_fd, &s) == 0 && s.pid > 0 && s.pid != getpid() &&
		     (kill(s.pid, 0) == 0 || errno == EPERM);

	sn_status_release(&s);
	return lives;
}

/* Unplanned ends are counted over restarts of exo, its own included. */
static void count_restarts(struct exo *x)
{
	struct sn_status s = {0};

	if (sn_status_read(x->run_fd, &s) == 0 && strcmp(s.state, "down") != 0 &&
	    strcmp(s.state, "config-error") != 0)
		x->restarts = s.restarts + 1;
	sn_status_release(&s);
}

/* Waits a little; true if a signal says that there is no more point in it. */
static bool told_to_stop(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	return sigtimedwait(&set, NULL, &RETRY) > 0;
}

int exo_lock(struct exo *x)
{
	static const char WHY[] = "waiting for the lock: another exo or its workers hold it";
	bool said = false;

	for (;;) {
		x->lock_fd = sn_lock_take(x->run_fd, "lock", false);
		if (x->lock_fd >= 0)
			break;
		if (x->lock_fd != -EWOULDBLOCK) {
			sn_err("cannot lock %s/%s/lock: %s", x->home.run, x->name, strerror(-x->lock_fd));
			return SN_EXIT_TEMPORARY;
		}
		if (!said) {
			sn_info("%s", WHY);
			output_flush(&x->out);
			if (!other_lives(x)) {
				count_restarts(x);
				exo_status_write(x, "starting", 0, WHY);
			}
		}
		said = true;
		if (told_to_stop())
			return -1;
	}
	if (x->state == NULL) /* else it was read before our own status replaced it */
		count_restarts(x);
	return 0;
}
