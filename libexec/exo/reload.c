/* HUP: configuration, environment and code anew. The code is tried out first, in a process that is thrown away: while it
 * does not load, the workers that run stay, with the configuration that they have. */
#include "reload.h"

#include <stdlib.h>

#include "exo.h"

static void complain(void *arg, bool error, const char *file, unsigned line, const char *text)
{
	struct exo *x = arg;

	sn_log(error ? SN_ERROR : SN_WARNING, "%s:%u: %s", file, line, text);
	if (error && x->reload.why[0] == '\0')
		(void)snprintf(x->reload.why, sizeof x->reload.why, "%s:%u: %s", file, line, text);
}

static void forget_trial(struct exo *x)
{
	struct reload *r = &x->reload;

	if (r->trial != NULL) {
		for (size_t i = 0; i < SN_COUNT(r->trial->slots); i++)
			slot_detach(&r->trial->slots[i]);
		worker_free(r->trial);
		sn_env_release(&r->env);
	}
	r->trial = NULL;
	if (r->read)
		sn_config_release(&r->config);
	r->read = false;
}

static void refuse(struct exo *x)
{
	sn_err("not reloaded, the workers that run stay: %s", x->reload.why);
	forget_trial(x);
	x->reload.count++;
	x->look = true;
}

static void replace(struct worker *w)
{
	if (w->surplus)
		return;
	if (w->state != WORKER_DOWN) {
		worker_retire(w);
		return;
	}
	w->backoff_s = 0;
	worker_set_timer(w, -1);
	worker_start(w);
}

/* Nothing is interrupted: busy workers go when they have finished. */
static void accept_it(struct exo *x)
{
	struct reload *r = &x->reload;

	sn_config_release(&x->config);
	x->config = r->config;
	r->read = false;
	sn_env_release(&x->env);
	x->env = r->env;
	r->env = (struct sn_env){0};
	forget_trial(x);
	sn_log_set_level(x->config.skynet.log_level);
	sn_info("configuration read again and code checked, replacing the workers");
	for (unsigned i = 0; i < x->worker_count; i++)
		replace(x->workers[i]);
	exo_resize(x);
	r->count++;
	x->look = true;
}

static void begin(struct exo *x)
{
	struct sn_config_reader rd = {.complain = complain, .arg = x};
	struct reload *r = &x->reload;
	int e;

	r->again = false;
	r->why[0] = '\0';
	e = sn_home_config(&x->home, x->name, &rd, &r->config);
	r->read = true;
	if (e < 0) {
		if (r->why[0] == '\0')
			(void)snprintf(r->why, sizeof r->why, "the configuration: %s", strerror(-e));
		refuse(x);
		return;
	}
	r->trial = worker_new(x, EXO_INSTANCES_MAX);
	r->trial->trial = true;
	sn_env_load(&r->env, &x->home, x->name);
	worker_start(r->trial);
	if (r->trial->state == WORKER_DOWN) {
		(void)snprintf(r->why, sizeof r->why, "%s", r->trial->fatal);
		refuse(x);
	}
}

void exo_reload(struct exo *x)
{
	if (x->reload.trial == NULL) {
		begin(x);
		return;
	}
	x->reload.again = true; /* whoever asked later wants what he has changed until now */
	worker_kill(x->reload.trial);
}

void reload_judge(struct exo *x, const char *how)
{
	struct reload *r = &x->reload;
	const struct worker *w = r->trial;
	const char *last = ring_reason(w->slots[0].ring);

	if (x->phase != EXO_RUNNING) {
		forget_trial(x);
	} else if (r->again) {
		forget_trial(x);
		begin(x);
	} else if (w->ready_ns != 0) {
		accept_it(x);
	} else {
		if (w->fatal[0] != '\0')
			(void)snprintf(r->why, sizeof r->why, "%s", w->fatal);
		else
			(void)snprintf(r->why, sizeof r->why, "the code does not load: %s%s%s", how,
				       last != NULL ? ": " : "", last != NULL ? last : "");
		refuse(x);
	}
}

void reload_release(struct exo *x)
{
	forget_trial(x);
}
