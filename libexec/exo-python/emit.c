/* emit(kind, body): a message that goes to the engine before the reply. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "data/digest.h"
#include "spool/result.h"
#include "worker.h"

static int store(struct worker *w, enum sn_send kind, const char *leaf, const Py_buffer *body)
{
	struct sn_result res = {.outcome = SN_OK,
				.send = kind,
				.attempt = w->base.job.attempt,
				.started_us = sn_clock_real_us(),
				.finished_us = sn_clock_real_us()};

	sn_digest_hex(body->buf, (size_t)body->len, res.sha256);
	return sn_result_write(&w->base.spool, leaf, &res, body->buf, (size_t)body->len,
			       w->base.config.participant.sync_results);
}

/* exo renames it and says so on the control socket, which the watch thread reads. */
static int hand_over(struct worker *w, const char *leaf)
{
	int r;

	(void)pthread_mutex_lock(&w->base.lock);
	w->emit_answer = EMIT_WAITING;
	sn_worker_tell("message %s", leaf);
	while (w->emit_answer == EMIT_WAITING)
		(void)pthread_cond_wait(&w->base.changed, &w->base.lock);
	r = -w->emit_answer;
	(void)pthread_mutex_unlock(&w->base.lock);
	return r;
}

static int emit_one(struct worker *w, enum sn_send kind, const Py_buffer *body)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	char leaf[SN_ATTEMPT_SIZE];
	int r;

	(void)pthread_mutex_lock(&one_at_a_time);
	if (!w->busy) {
		r = -EINVAL; /* between workitems nobody would send it */
	} else if (w->messages == SN_MESSAGE_MAX) {
		r = -E2BIG;
	} else {
		(void)snprintf(leaf, sizeof leaf, "%s,a%u.m%04u", w->base.job.name, w->base.job.attempt,
			       w->messages + 1); /* fits */
		r = store(w, kind, leaf, body);
		if (r == 0)
			r = hand_over(w, leaf);
		if (r == 0)
			w->messages++;
	}
	(void)pthread_mutex_unlock(&one_at_a_time);
	return r;
}

static PyObject *emit(PyObject *self, PyObject *args)
{
	const char *kind;
	Py_buffer body;
	enum sn_send send;
	int r;

	(void)self;
	if (!PyArg_ParseTuple(args, "sy*", &kind, &body))
		return NULL;
	r = sn_send_parse(kind, &send);
	if (r < 0 || (send != SN_SEND_MESSAGE && send != SN_SEND_LAUNCH) || worker.base.forked) {
		PyBuffer_Release(&body);
		PyErr_Format(PyExc_ValueError, "emit: kind %R, or a forked process",
			     PyTuple_GetItem(args, 0));
		return NULL;
	}
	Py_BEGIN_ALLOW_THREADS r = emit_one(&worker, send, &body);
	Py_END_ALLOW_THREADS PyBuffer_Release(&body);
	if (r == 0)
		Py_RETURN_NONE;
	errno = -r;
	return PyErr_SetFromErrno(PyExc_OSError);
}

PyObject *emit_function(void)
{
	static PyMethodDef def = {"emit", emit, METH_VARARGS,
				  "emit(kind, body): into the spool, before the reply"};

	return PyCFunction_New(&def, NULL);
}
