/* exo-so --home HOME NAME. Started by exo only: it needs the descriptors of docs/WORKER.md. */
#include <dlfcn.h>
#include <stdio.h>

#include "base/mem.h"
#include "so.h"

/* Functions and data pointers are of one size; ISO C has no conversion between them. */
static bool find(void *library, const char *name, void *ret_function)
{
	void *at = dlsym(library, name);

	memcpy(ret_function, &at, sizeof at);
	return at != NULL;
}

static const char *missing(struct so *s, void *library)
{
	const unsigned *abi = dlsym(library, "skynet_abi");

	if (abi == NULL)
		return "no skynet_abi in it: it does not include skynet/participant.h";
	if (*abi != SKYNET_ABI)
		return "made for another version of skynet/participant.h";
	if (!find(library, "skynet_handle", &s->handle))
		return "no function skynet_handle";
	if (!find(library, "skynet_control", &s->control))
		return "no function skynet_control";
	return NULL;
}

static int start(struct so *s, char *ret_why, size_t size)
{
	char text[ANSWER_SIZE] = "";
	struct skynet_control message = {.message = SKYNET_START, .answer = text, .answer_size = sizeof text};
	int r = s->control(&message);

	text[sizeof text - 1] = '\0';
	if (r != 0 && r != SKYNET_UNSUPPORTED)
		(void)snprintf(ret_why, size, "skynet_control(START) returned %d%s%s", r,
			       text[0] != '\0' ? ": " : "", text); /* cut if ever */
	return ret_why[0] != '\0' ? -1 : 0;
}

static int load(struct sn_worker *w, char *ret_why, size_t size)
{
	struct so *s = (struct so *)w;
	SN_AUTOFREE char *path = sn_worker_code(w);
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	const char *why = library != NULL ? missing(s, library) : dlerror();
	int r;

	if (why != NULL) {
		(void)snprintf(ret_why, size, "%s: %s", path, why); /* cut if ever */
		return -1;
	}
	if (w->check)
		return 0;
	r = w->replay ? 0 : so_control_start(s);
	if (r < 0) {
		(void)snprintf(ret_why, size, "cannot start a thread: %s", strerror(-r)); /* fits */
		return -1;
	}
	return start(s, ret_why, size);
}

static void set_running(struct so *s, bool running)
{
	struct sn_worker *w = &s->worker;

	(void)pthread_mutex_lock(&w->lock);
	s->item = (struct skynet_workitem){.json = w->job.body.data,
					   .len = w->job.body.len,
					   .name = w->job.name,
					   .participant = w->name,
					   .wfid = w->job.item.fei.wfid,
					   .expid = w->job.item.fei.expid,
					   .attempt = w->job.attempt};
	s->running = running;
	(void)pthread_mutex_unlock(&w->lock);
}

static void run(struct sn_worker *w, struct sn_answer *ret)
{
	struct so *s = (struct so *)w;
	struct skynet_reply *out = &s->reply;
	char message[96];
	int r;

	sn_worker_look(w);
	*out = (struct skynet_reply){0};
	set_running(s, true);
	r = s->handle(&s->item, out);
	if (w->forked)
		return;
	so_control_leave(s);
	(void)fflush(NULL); /* what was printed belongs to this workitem; nothing to do about an error */
	(void)snprintf(message, sizeof message, "skynet_handle returned %d", r);
	if (r != 0 && r != 1)
		sn_worker_error(w, out->error != NULL ? out->error : message, "", 0, ret);
	else if (out->json != NULL && out->len == 0) /* it was forgotten: that is not "unchanged" */
		sn_worker_error(w, "the reply has the length 0", "", 0, ret);
	else
		sn_worker_reply(w, out->json, out->json != NULL ? out->len : 0, r == 0, ret);
}

static void release(struct sn_worker *w, struct sn_answer *a)
{
	struct so *s = (struct so *)w;

	(void)a;
	if (s->reply.release != NULL)
		s->reply.release(&s->reply);
}

static void end(struct sn_worker *w)
{
	so_control_settle((struct so *)w);
	(void)fflush(NULL); /* nothing to do about an error */
}

int main(int argc, char **argv)
{
	static const struct sn_worker_class CLASS = {.program = "exo-so",
						     .load = load,
						     .run = run,
						     .release = release,
						     .end = end,
						     .verbs = SO_VERBS};
	struct so *s = sn_calloc(1, sizeof *s);

	(void)setvbuf(stdout, NULL, _IOLBF, 0); /* what is printed is a log line at once */
	return sn_worker_main(&s->worker, &CLASS, argc, argv);
}
