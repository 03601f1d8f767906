/* How exo starts and ends. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cancel.h"
#include "exo.h"
#include "svc/programs.h"
#include "sys/dir.h"

static void complain(void *arg, bool error, const char *file, unsigned line, const char *text)
{
	struct exo *x = arg;

	sn_log(error ? SN_ERROR : SN_WARNING, "%s:%u: %s", file, line, text);
	if (error && x->reason[0] == '\0')
		(void)snprintf(x->reason, sizeof x->reason, "%s:%u: %s", file, line, text);
}

static int read_config(struct exo *x)
{
	struct sn_config_reader rd = {.complain = complain, .arg = x};
	int r = sn_home_config(&x->home, x->name, &rd, &x->config);

	if (r == 0)
		return 0;
	if (x->reason[0] == '\0')
		(void)snprintf(x->reason, sizeof x->reason, "%s/skynet-%s/config.exo: %s", x->home.sv,
			       x->name, strerror(-r));
	sn_err("configuration: %s", x->reason);
	exo_status_write(x, "config-error", SN_EXIT_CONFIG, x->reason);
	return SN_EXIT_CONFIG;
}

static int open_run(struct exo *x)
{
	int run = sn_dir_open(AT_FDCWD, x->home.run);

	x->run_fd = run < 0 ? run : sn_dir_make_open(run, x->name, 0755);
	if (run >= 0)
		(void)close(run); /* a directory */
	if (x->run_fd < 0) {
		sn_err("%s/%s: cannot be opened: %s", x->home.run, x->name, strerror(-x->run_fd));
		return SN_EXIT_TEMPORARY;
	}
	return 0;
}

static int open_spool(struct exo *x)
{
	int r;

	x->spools_fd = sn_dir_open(AT_FDCWD, x->home.spool);
	r = x->spools_fd < 0 ? x->spools_fd : sn_spool_open(&x->spool, x->spools_fd, x->name, SN_SPOOL_WORK);
	if (r < 0) {
		(void)snprintf(x->reason, sizeof x->reason,
			       "%s/%s: the spool cannot be opened: %s (skynet spool check %s)", x->home.spool,
			       x->name, strerror(-r), x->name);
		sn_err("%s", x->reason);
		return SN_EXIT_TEMPORARY;
	}
	return 0;
}

int exo_start(struct exo *x)
{
	int r = open_run(x);

	if (r == 0)
		r = exo_lock(x);
	if (r == 0)
		r = read_config(x);
	if (r != 0)
		return r;
	sn_log_set_level(x->config.skynet.log_level);
	sn_env_load(&x->env, &x->home, x->name);
	r = open_spool(x);
	if (r != 0)
		return r;
	x->service_dir = sn_asprintf("%s/skynet-%s", x->home.sv, x->name);
	x->worker_dir = sn_programs_dir();
	limits_lift(x);
	room_start(x);
	strays_start(x);
	exo_signals_start(x);
	exo_resize(x);
	note_start(x);
	intake_start(x);
	r = control_start(x);
	if (r < 0)
		sn_err("no control socket, nobody can ask or cancel: %s", strerror(-r));
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd); /* directories, the lock */
}

void exo_end(struct exo *x, int code)
{
	control_stop(x);
	if (x->loop != NULL && x->lock_fd >= 0)
		strays_kill_all(x);
	while (x->worker_count > 0) {
		struct worker *w = x->workers[--x->worker_count];

		for (size_t i = 0; i < SN_COUNT(w->slots); i++)
			slot_drain(&w->slots[i]);
		worker_free(w);
	}
	while (x->tails != NULL) {
		struct slot *t = x->tails;

		x->tails = t->next;
		slot_drain(t);
		slot_close(t);
		free(t);
	}
	cancels_release(x);
	reload_release(x);
	x->ready_workers = 0;
	if ((x->lock_fd >= 0 || x->state != NULL) && code != SN_EXIT_CONFIG)
		exo_status_write(x, "down", code, code != 0 ? x->reason : NULL);
	sn_env_release(&x->env);
	queue_release(&x->queue);
	item_list_release(&x->claimed);
	deaths_release(&x->deaths);
	sn_config_release(&x->config);
	sn_spool_release(&x->spool);
	sn_home_release(&x->home);
	free(x->service_dir);
	free(x->worker_dir);
	close_fd(x->run_fd);
	close_fd(x->spools_fd);
	close_fd(x->inotify);
	output_finish(&x->out, 1);
	close_fd(x->lock_fd);
}
