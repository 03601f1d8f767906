/* exo-python --home HOME NAME. Started by exo only: it needs the descriptors of docs/WORKER.md. */
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/log.h"
#include "sys/dir.h"
#include "sys/fd.h"
#include "worker.h"

struct worker worker = {
	.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .slots = {-1, -1}};

static int usage(void)
{
	(void)fputs("usage: exo-python --home HOME NAME (started by exo)\n",
		    stderr); /* nothing to do about it */
	return SN_EXIT_USAGE;
}

static int parse(int argc, char **argv, const char **ret_home)
{
	static const struct option OPTIONS[] = {{"home", required_argument, NULL, 'H'}, {0}};
	int type = 0, c;
	socklen_t len = sizeof type;

	while ((c = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
		if (c != 'H')
			return usage();
		*ret_home = optarg;
	}
	if (optind + 1 != argc || !sn_participant_valid(argv[optind]))
		return usage();
	if (getsockopt(FD_WORK, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
		return usage();
	worker.name = argv[optind];
	return 0;
}

/* A fork of the participant's holds neither the lock nor a voice in the protocol. */
static void in_forked_child(void)
{
	worker.forked = true;
	(void)close(FD_LOCK);
	(void)close(FD_WORK);
	(void)close(FD_CONTROL);
}

static int hide_fds(void)
{
	int r = 0;

	for (int fd = FD_WORK; fd <= FD_LOCK && r == 0; fd++)
		r = sn_fd_set_cloexec(fd, true);
	if (r < 0)
		return r;
	worker.slots[0] = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, FIRST_OWN_FD);
	worker.slots[1] = FD_SLOT1;
	for (int i = 2; i < SLOTS; i++)
		worker.slots[i] = -1;
	if (worker.slots[0] < 0)
		return -errno;
	return -pthread_atfork(NULL, NULL, in_forked_child);
}

static int prepare_process(void)
{
	/* As the python3 program has it; Python itself is told to leave signals alone. */
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)mallopt(M_ARENA_MAX, 1); /* one thread at a time runs Python; arenas cost memory each */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	return hide_fds();
}

static int open_all(const char *home)
{
	struct sn_config_reader rd = {0};
	SN_AUTOFD int spools = -1;
	int r = sn_home_init(&worker.home, home);

	if (r == 0)
		r = sn_home_config(&worker.home, worker.name, &rd, &worker.config);
	if (r < 0)
		return r;
	sn_log_set_level(worker.config.skynet.log_level);
	spools = sn_dir_open(AT_FDCWD, worker.home.spool);
	return spools < 0 ? spools : sn_spool_open(&worker.spool, spools, worker.name, SN_SPOOL_WORK);
}

void work_tell(const char *fmt, ...)
{
	char text[PACKET_SIZE];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof text)
		n = (int)sizeof text - 1;
	if (sn_fd_send(FD_WORK, text, (size_t)n, -1) < 0)
		_exit(SN_EXIT_TEMPORARY); /* exo is gone, or user code closed our socket */
}

int main(int argc, char **argv)
{
	const char *home = NULL;
	char why[1024];
	int r = parse(argc, argv, &home);

	if (r != 0)
		return r;
	r = prepare_process();
	if (r == 0)
		r = open_all(home);
	if (r == 0)
		r = python_start();
	if (r == 0)
		r = stacks_prepare();
	if (r < 0) {
		sn_err("worker: cannot start: %s", strerror(-r));
		work_tell("fatal cannot start: %s", strerror(-r));
		return 1;
	}
	r = control_start(&worker); /* before load: exo may die, and `start` may send messages */
	if (r == 0 && python_load(&worker, why, sizeof why) < 0) {
		work_tell("fatal %s", why);
		_exit(1);
	}
	(void)malloc_trim(0); /* what importing left */
	if (r < 0)
		work_tell("fatal cannot start a thread: %s", strerror(-r));
	else
		work_tell("ready");
	while (r == 0 && work_next(&worker))
		;
	control_settle(&worker);
	python_end();
	_exit(r == 0 ? 0 : 1);
}
