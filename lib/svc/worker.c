#include "svc/worker.h"

#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/about.h"
#include "base/log.h"
#include "base/mem.h"
#include "sys/dir.h"
#include "sys/fd.h"

/* For the handler of fork, which gets no argument. */
static struct sn_worker *this_worker;

static int usage(const struct sn_worker *w)
{
	(void)fprintf(stderr, "usage: %s [--check] --home HOME NAME (started by exo)\n",
		      w->class->program); /* nothing to do about it */
	return SN_EXIT_USAGE;
}

struct arguments {
	const char *home;
	int replay; /* -1: none */
	bool raw;
};

static int parse(struct sn_worker *w, int argc, char **argv, struct arguments *ret)
{
	static const struct option OPTIONS[] = {{"home", required_argument, NULL, 'H'},
						{"check", no_argument, NULL, 'C'},
						{"replay", required_argument, NULL, 'R'},
						{"raw", no_argument, NULL, 'r'},
						{0}};
	int type = 0, c;
	socklen_t len = sizeof type;

	while ((c = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
		if (c == 'H')
			ret->home = optarg;
		else if (c == 'R')
			ret->replay = atoi(optarg);
		else if (c == 'C')
			w->check = true;
		else if (c == 'r')
			ret->raw = true;
		else
			return usage(w);
	}
	if (optind + 1 != argc || !sn_participant_valid(argv[optind]))
		return usage(w);
	w->replay = ret->replay >= 0;
	if (!w->replay &&
	    (getsockopt(SN_WORKER_BORN, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET))
		return usage(w);
	w->name = argv[optind];
	return 0;
}

/* A fork of the participant's holds neither the lock nor a voice in the protocol. */
static void in_forked_child(void)
{
	this_worker->forked = true;
	sn_journal_close(&this_worker->spool.journal); /* or a lock on it would outlive us */
	sn_worker_let_go(this_worker);		       /* as above */
	(void)close(SN_WORKER_LOCK);
	(void)close(SN_WORKER_WORK);
	(void)close(SN_WORKER_CONTROL);
}

static int hide_fds(struct sn_worker *w)
{
	int r = 0;

	for (int fd = SN_WORKER_WORK; fd <= SN_WORKER_LOCK && r == 0; fd++) {
		const int born = SN_WORKER_BORN + fd - SN_WORKER_WORK;

		r = dup3(born, fd, O_CLOEXEC) < 0 ? -errno : 0;
		(void)close(born); /* the other one is kept */
	}
	if (r == 0)
		r = sn_fd_identify(SN_WORKER_WORK, &w->work);
	if (r == 0)
		r = sn_fd_identify(SN_WORKER_CONTROL, &w->control);
	if (r < 0)
		return r;
	w->slots[0] = sn_fd_dup_high(STDOUT_FILENO);
	w->slots[1] = SN_WORKER_SLOT1;
	for (int i = 2; i < SN_WORKER_SLOTS; i++)
		w->slots[i] = -1;
	if (w->slots[0] < 0)
		return w->slots[0];
	this_worker = w;
	return -pthread_atfork(NULL, NULL, in_forked_child);
}

static int prepare_process(struct sn_worker *w)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)mallopt(M_ARENA_MAX, 1); /* one thread at a time works; arenas cost memory each */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	return w->replay ? 0 : hide_fds(w);
}

static int open_all(struct sn_worker *w, const char *home)
{
	struct sn_config_reader rd = {0};
	SN_AUTOFD int spools = -1;
	int r = sn_home_init(&w->home, home);

	if (r == 0)
		r = sn_home_config(&w->home, w->name, &rd, &w->config);
	if (r < 0)
		return r;
	sn_log_set_level(w->config.skynet.log_level);
	if (w->replay)
		return 0;
	spools = sn_dir_open(AT_FDCWD, w->home.spool);
	return spools < 0 ? spools : sn_spool_open(&w->spool, spools, w->name, SN_SPOOL_WORK);
}

void sn_worker_send(const char *text, size_t len)
{
	int r = sn_fd_send(SN_WORKER_WORK, text, len, -1);

	if (r < 0) { /* exo is gone, or user code closed our socket */
		sn_err("worker: its socket to exo cannot be used any more: %s", strerror(-r));
		_exit(SN_EXIT_TEMPORARY);
	}
}

void sn_worker_tell(const char *fmt, ...)
{
	char text[SN_WORKER_PACKET];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	sn_worker_send(text, (size_t)(n < (int)sizeof text ? n : (int)sizeof text - 1));
}

char *sn_worker_code(const struct sn_worker *w)
{
	return sn_asprintf("%s/skynet-%s/%s", w->home.sv, w->name, w->config.participant.code);
}

static SN_NORETURN void serve(struct sn_worker *w)
{
	char why[SN_WORKER_WHY] = "";
	int r = sn_worker_watch(w); /* before load: exo may end, and load may take its time */

	if (r < 0)
		(void)snprintf(why, sizeof why, "cannot start a thread: %s", strerror(-r)); /* fits */
	if (r < 0 || w->class->load(w, why, sizeof why) < 0) {
		sn_worker_tell("fatal %s", why);
		_exit(1);
	}
	(void)malloc_trim(0); /* what loading left */
	sn_worker_tell("ready");
	while (!w->check && sn_worker_next(w))
		;
	if (w->class->end != NULL && !w->check)
		w->class->end(w);
	_exit(0);
}

static const char HELP[] =
	"[--check] --home HOME NAME\n\n"
	"Runs the code of participant NAME; started by exo, with sockets that only it has.\n\n"
	"      --check     load the code, say whether that works, and end\n"
	"      --home DIR  the home (default: SKYNET_HOME, else the system home)\n"
	"  -h, --help      this text\n"
	"  -V, --version   the version\n";

int sn_worker_main(struct sn_worker *w, const struct sn_worker_class *class, int argc, char **argv)
{
	struct arguments args = {.replay = -1};
	int r;

	if (sn_about(argc, argv, class->program, HELP))
		return 0;
	*w = (struct sn_worker){.class = class, .job.fd = -1};
	(void)pthread_mutex_init(&w->lock, NULL); /* never fails */
	(void)pthread_mutex_init(&w->writing, NULL);
	(void)pthread_cond_init(&w->changed, NULL);
	r = parse(w, argc, argv, &args);
	if (r != 0)
		return r;
	r = prepare_process(w);
	if (r == 0)
		r = open_all(w, args.home);
	if (r == 0 && w->replay)
		_exit(sn_worker_replay(w, args.replay,
				       args.raw)); /* the code's destructors are not our business */
	if (r == 0)
		serve(w);
	sn_err("worker: cannot start: %s", strerror(-r));
	if (!w->replay)
		sn_worker_tell("fatal cannot start: %s", strerror(-r));
	return 1;
}
