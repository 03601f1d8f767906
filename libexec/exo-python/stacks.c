/* Where every thread is, into the log, without stopping anything: asked for by exo, also of a worker that is stuck.
 *
 * The C stack of a thread: a signal whose handler takes the return addresses; a thread of its own prints them, since
 * looking up symbols may wait for a lock. The Python stacks: whoever holds the interpreter's lock sees the other
 * threads stand still; where it cannot be had (a C call that keeps it), nobody changes a Python stack, and
 * faulthandler prints them from a signal. Real-time signals, since participants use the others. */
#include <dirent.h>
#include <execinfo.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "sys/fd.h"
#include "worker.h"

enum { FRAMES_MAX = 64, OWN_FRAMES = 2 /* the handler, and what called it */, TEXT_SIZE = 128 };
enum { ANSWER_NS = 300000000 };
enum { IDLE, ASKED, TAKING };

static struct {
	atomic_int state;
	void *frames[FRAMES_MAX];
	int count;
	sem_t taken;
	int fd; /* where they are printed; /dev/null in between: no pipe must be kept open */
	int null;
} shot;

int stacks_signal(void)
{
	return SIGRTMAX - 4;
}

static int python_signal(void)
{
	return SIGRTMAX - 3;
}

static void take(int sig)
{
	int asked = ASKED, saved = errno;

	(void)sig;
	if (!atomic_compare_exchange_strong(&shot.state, &asked, TAKING))
		return; /* too late */
	shot.count = backtrace(shot.frames, FRAMES_MAX);
	(void)sem_post(&shot.taken);
	errno = saved;
}

int stacks_prepare(void)
{
	struct sigaction sa = {.sa_handler = take, .sa_flags = SA_RESTART};
	shot.null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	shot.fd = shot.null < 0 ? -1 : sn_fd_dup_high(shot.null);
	if (shot.fd < 0 || sem_init(&shot.taken, 0, 0) < 0 || sigaction(stacks_signal(), &sa, NULL) < 0)
		return -errno;
	sn_fd_move_high(&shot.null);
	return python_stacks_on_signal(python_signal(), shot.fd);
}

static void read_text(const char *tid, const char *leaf, char text[TEXT_SIZE])
{
	char path[64];
	SN_AUTOFD int fd = -1;
	ssize_t n;

	(void)snprintf(path, sizeof path, "/proc/self/task/%.20s/%s", tid, leaf); /* fits */
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, TEXT_SIZE - 1);
	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static bool wait_for_shot(void)
{
	struct timespec until;
	int asked = ASKED;
	int64_t ns;

	(void)clock_gettime(CLOCK_REALTIME, &until); /* what sem_timedwait wants; cannot fail */
	ns = until.tv_nsec + ANSWER_NS;
	until.tv_sec += ns / 1000000000;
	until.tv_nsec = ns % 1000000000;
	while (sem_timedwait(&shot.taken, &until) < 0) {
		if (errno == EINTR)
			continue;
		if (atomic_compare_exchange_strong(&shot.state, &asked, IDLE))
			return false;
		until.tv_sec += 1; /* it is at it */
		asked = ASKED;
	}
	return true;
}

static void print_thread(const char *tid)
{
	char name[TEXT_SIZE], wchan[TEXT_SIZE];
	struct sigaction now;

	read_text(tid, "comm", name);
	read_text(tid, "wchan", wchan);
	(void)dprintf(shot.fd, "C stack of thread %s (%s), in the kernel: %s\n", tid, name, wchan);
	if (sigaction(stacks_signal(), NULL, &now) < 0 || now.sa_handler != take) {
		(void)dprintf(shot.fd, "  not known: the participant has taken signal %d\n", stacks_signal());
		return;
	}
	atomic_store(&shot.state, ASKED);
	if (syscall(SYS_tgkill, getpid(), (pid_t)strtol(tid, NULL, 10), stacks_signal()) < 0) {
		atomic_store(&shot.state, IDLE);
		return; /* it has just ended */
	}
	if (!wait_for_shot()) {
		(void)dprintf(shot.fd, "  not known: it blocks signal %d, or hangs in the kernel\n",
			      stacks_signal());
		return;
	}
	if (shot.count > OWN_FRAMES)
		backtrace_symbols_fd(shot.frames + OWN_FRAMES, shot.count - OWN_FRAMES, shot.fd);
	atomic_store(&shot.state, IDLE);
}

static void print_c_stacks(void)
{
	const long self = syscall(SYS_gettid);
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] != '.' && strtol(e->d_name, NULL, 10) != self)
			print_thread(e->d_name);
	}
	if (d != NULL)
		(void)closedir(d); /* nothing was written */
}

static void print_python_stacks_by_signal(void)
{
	struct sigaction now;

	if (sigaction(python_signal(), NULL, &now) == 0 && now.sa_handler != SIG_DFL &&
	    now.sa_handler != SIG_IGN)
		(void)pthread_kill(pthread_self(), python_signal()); /* us */
	else
		(void)dprintf(shot.fd, "  not known: the participant has taken signal %d\n", python_signal());
}

/* Waits for the interpreter's lock, perhaps for ever. */
static void *with_the_lock(void *arg)
{
	struct worker *w = arg;

	python_stacks(w, shot.fd);
	(void)pthread_mutex_lock(&w->base.lock);
	w->dump = DUMP_NONE;
	(void)pthread_cond_broadcast(&w->base.changed);
	(void)pthread_mutex_unlock(&w->base.lock);
	return NULL;
}

static void print_python_stacks(struct worker *w)
{
	struct timespec until;
	bool by_signal;

	(void)clock_gettime(CLOCK_REALTIME, &until); /* of condition variables; cannot fail */
	until.tv_sec += 1;
	(void)pthread_mutex_lock(&w->base.lock);
	if (w->dump == DUMP_NONE) { /* else one of an earlier time still waits */
		w->dump = DUMP_WAITS;
		if (sn_worker_thread(&w->base, with_the_lock, w) < 0)
			w->dump = DUMP_NONE;
		while (w->dump == DUMP_WAITS &&
		       pthread_cond_timedwait(&w->base.changed, &w->base.lock, &until) != ETIMEDOUT)
			;
	}
	by_signal = w->dump == DUMP_WAITS || w->dump == DUMP_LATE;
	if (by_signal)
		w->dump = DUMP_LATE;
	while (w->dump == DUMP_RUNS)
		(void)pthread_cond_wait(&w->base.changed, &w->base.lock);
	(void)pthread_mutex_unlock(&w->base.lock);
	if (by_signal)
		print_python_stacks_by_signal();
}

static void *print_all(void *arg)
{
	struct worker *w = arg;
	sigset_t ours;
	void *frames[1];

	(void)sigemptyset(&ours);
	(void)sigaddset(&ours, python_signal());
	(void)pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
	(void)dup3(w->base.slots[w->base.slot_now], shot.fd,
		   O_CLOEXEC); /* the pipe of the workitem that runs */
	(void)dprintf(shot.fd, "Python stacks of process %d\n", (int)getpid());
	print_python_stacks(w);
	/* Loads what it needs, which must not be done in a signal handler, and not before it is asked for: it has its
	 * price in memory. Should another thread hang in the loader so do we, but Python's stacks are out. */
	(void)backtrace(frames, 1);
	(void)dprintf(shot.fd, "C stacks of process %d\n", (int)getpid());
	print_c_stacks();
	(void)dprintf(shot.fd, "end of the stacks of process %d\n", (int)getpid());
	(void)dup3(shot.null, shot.fd, O_CLOEXEC);
	(void)pthread_mutex_lock(&w->base.lock);
	w->in_stacks = false;
	(void)pthread_mutex_unlock(&w->base.lock);
	return NULL;
}

void stacks(struct worker *w)
{
	if (w->in_stacks)
		return;
	w->in_stacks = true;
	if (sn_worker_thread(&w->base, print_all, w) == 0)
		return;
	w->in_stacks = false;
	sn_warn("worker: no thread to print the stacks");
}
