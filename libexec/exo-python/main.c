/* exo-python --home HOME NAME. Started by exo only: it needs the descriptors of docs/WORKER.md. */
#include "base/log.h"
#include "worker.h"

struct worker worker;

static int load(struct sn_worker *w, char *ret_why, size_t size)
{
	int r = python_start();

	if (r == 0)
		r = stacks_prepare();
	if (r == 0)
		r = control_start(&worker); /* `start` may be told to stop */
	if (r < 0) {
		(void)snprintf(ret_why, size, "cannot start: %s", strerror(-r)); /* fits */
		return -1;
	}
	return python_load(w, ret_why, size);
}

static void run(struct sn_worker *w, struct sn_answer *ret)
{
	struct python_answer *a = &worker.answer;

	if (python_run(w->job.leaf, &w->job.body, a) < 0 && !w->forked)
		_exit(1); /* _runtime promises that it never raises; the traceback is in the output */
	if (w->forked)
		return;
	if (sn_outcome_parse(a->outcome, &ret->outcome) < 0 || sn_send_parse(a->send, &ret->send) < 0) {
		sn_err("worker: no such outcome: %s, %s", a->outcome, a->send);
		_exit(1);
	}
	ret->body = a->body;
	ret->len = a->len;
}

static void tidy(struct sn_worker *w)
{
	(void)w;
	python_answer_release(&worker.answer);
}

static void end(struct sn_worker *w)
{
	(void)w;
	control_settle(&worker);
	python_end();
}

int main(int argc, char **argv)
{
	static const struct sn_worker_class CLASS = {.program = "exo-python",
						     .load = load,
						     .run = run,
						     .tidy = tidy,
						     .end = end,
						     .verbs = CONTROL_VERBS,
						     .open_signal = stacks_signal};

	return sn_worker_main(&worker.base, &CLASS, argc, argv);
}
