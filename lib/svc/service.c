#include "svc/service.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

#include "base/mem.h"
#include "data/name.h"
#include "sys/dir.h"
#include "sys/lock.h"

static const char *const READY[] = {"ready", "connected", "brokerless", "blocked"};

static bool one_of(const char *word, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(word, words[i]) == 0)
			return true;
	}
	return false;
}

static bool file_exists(const struct sn_home *h, const char *name, const char *leaf)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/skynet-%s/%s", h->sv, name, leaf);

	return access(path, F_OK) == 0;
}

bool sn_service_exists(const struct sn_home *h, const char *name)
{
	if (strcmp(name, SN_BRIDGE_NAME) == 0)
		return file_exists(h, name, "run");
	return sn_participant_valid(name) && file_exists(h, name, "config.exo");
}

static bool alive(pid_t pid)
{
	return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

/* The state of a service whose lock nobody holds. */
static const char *state_unlocked(const struct sn_service *s)
{
	bool begun = s->runit.supervised && s->runit.pid > 0 && !s->runit.finishing;

	if (s->status.state != NULL && strcmp(s->status.state, "config-error") == 0 && !begun)
		return "config-error";
	return begun || (s->runit.supervised && s->runit.want_up) ? "starting" : "down";
}

static void judge(struct sn_service *s)
{
	bool written = s->status.state != NULL && alive(s->status.pid);

	if (!s->running)
		s->state = state_unlocked(s);
	else if (written)
		s->state = s->status.state;
	else /* the lock's holder has written nothing yet, or is a worker that outlives its exo */
		s->state = s->runit.supervised && !s->runit.want_up ? "stopping" : "starting";
	s->ready = s->running && one_of(s->state, READY, SN_COUNT(READY));
	s->failed = strcmp(s->state, "config-error") == 0 || strcmp(s->state, "backoff") == 0;
	if (s->running && written)
		s->pid = s->status.pid;
	else if (s->runit.supervised && !s->runit.finishing)
		s->pid = s->runit.pid;
	if (s->runit.supervised && s->pid > 0 && s->pid == s->runit.pid)
		s->since_us = s->runit.since_us;
	else if (written || s->failed)
		s->since_us = s->status.since_us;
}

static const char *find_want(const struct sn_home *h, const char *name, const struct sn_service *s)
{
	if (s->runit.supervised)
		return s->runit.want_up ? "up" : "down";
	if (!sn_home_enabled(h, name))
		return "-";
	if (s->runit_error == -EACCES && !s->running)
		return "?";
	return file_exists(h, name, "down") ? "down" : "up";
}

static void look_at_run_dir(const struct sn_home *h, const char *name, struct sn_service *s)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/%s", h->run, name);
	SN_AUTOFD int dir = sn_dir_open(AT_FDCWD, path);

	if (dir < 0)
		return; /* never started */
	if (sn_status_read(dir, &s->status) < 0)
		sn_status_release(&s->status); /* never written, or rubbish: the lock says enough */
	s->running = sn_lock_held(dir, "lock") == 1;
}

int sn_service_look(const struct sn_home *h, const char *name, struct sn_service *ret)
{
	SN_AUTOFREE char *dir = sn_asprintf("%s/skynet-%s", h->sv, name);

	*ret = (struct sn_service){.state = "down", .want = "-"};
	if (!sn_service_exists(h, name))
		return -ENOENT;
	ret->runit_error = sn_runit_read(dir, &ret->runit);
	look_at_run_dir(h, name, ret);
	judge(ret);
	ret->want = find_want(h, name, ret);
	return 0;
}

void sn_service_release(struct sn_service *s)
{
	sn_status_release(&s->status);
	*s = (struct sn_service){0};
}
