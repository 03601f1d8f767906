#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "air.h"
#include "bridge.h"
#include "consumer.h"
#include "disk.h"
#include "gone.h"
#include "logger.h"
#include "publisher.h"
#include "svc/status.h"
#include "sys/dir.h"
#include "sys/lock.h"

enum { FULL_RETRY_S = 5 };

/* ---- events ------------------------------------------------------------ */

static void on_inotify(struct ev_loop *loop, ev_io *w, int events)
{
	struct bridge *b = w->data;
	union {
		struct inotify_event align;
		char bytes[16384];
	} buf;
	ssize_t len = read(b->inotify, &buf, sizeof buf);

	(void)loop;
	(void)events;
	for (ssize_t at = 0; at + (ssize_t)sizeof(struct inotify_event) <= len;) {
		struct inotify_event e;
		struct participant *p;

		memcpy(&e, buf.bytes + at, sizeof e);
		TAILQ_FOREACH(p, &b->participants, link)
		{
			if ((e.mask & IN_Q_OVERFLOW) != 0)
				p->rescan = true;
			else if (p->watch == e.wd && e.len > 0) {
				journals_event(p, buf.bytes + at + sizeof e);
				busy_heard(p);
			}
		}
		at += (ssize_t)sizeof e + e.len;
	}
}

/* Something came back from the publisher or the disk. */
static void collect(struct bridge *b)
{
	struct sync_request *s;
	struct job_list jobs;

	while ((s = disk_collect(b->disk)) != NULL) {
		sync_done(b, s->batch, s->error);
		sync_request_free(s);
	}
	if (b->publisher == NULL)
		return;
	publisher_collect(b->publisher, &jobs);
	results_jobs_done(b, &jobs);
	if (b->resolving)
		return;
	gone_save(b);
	publisher_retired(b->publisher);
}

static void on_wake(struct ev_loop *loop, ev_async *w, int events)
{
	struct bridge *b = w->data;

	(void)loop;
	(void)events;
	collect(b);
	if (air_changed(b->air) || (b->publisher != NULL && publisher_changed(b->publisher)))
		status_touch(b);
}

/* Once per turn of the loop, before it sleeps. */
static void on_prepare(struct ev_loop *loop, ev_prepare *w, int events)
{
	struct bridge *b = w->data;

	(void)events;
	collect(b);
	results_pump(b);
	if (b->publisher != NULL)
		publisher_kick(b->publisher);
	if (b->status_dirty)
		status_write(b, NULL);
	if (b->stopping && (b->publisher == NULL || publisher_pending(b->publisher) == 0 ||
			    sn_clock_mono_ns() > b->stop_deadline_ns))
		ev_break(loop, EVBREAK_ALL);
}

static void on_sync_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	sync_start(w->data);
}

static void on_reconcile(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	reconcile(w->data);
}

static void on_retry(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	results_retry(w->data);
}

static void on_room(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	bridge_check_room(w->data);
}

bool bridge_brokerless(const struct bridge *b)
{
	return strcmp(b->config.boss.host, "none") == 0;
}

/* ---- life -------------------------------------------------------------- */

static int open_dir(struct bridge *b, const char *path)
{
	int fd = sn_dir_open(AT_FDCWD, path);

	if (fd < 0) {
		(void)snprintf(b->why, sizeof b->why, "cannot open %s: %s", path, strerror(-fd));
		sn_err("%s", b->why);
	}
	return fd;
}

static int open_dirs(struct bridge *b)
{
	SN_AUTOFD int run = open_dir(b, b->home.run);

	b->rundir = run < 0 ? run : sn_dir_make_open(run, "amqp-spool", 0755);
	b->rundirs = run < 0 ? run : openat(run, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	b->spooldir = open_dir(b, b->home.spool);
	b->records = sn_malloc(SN_RECORDS_BUFFER);
	b->libdir = open_dir(b, b->home.lib);
	if (run >= 0 && b->rundir < 0)
		sn_err("cannot open %s/amqp-spool: %s", b->home.run, strerror(-b->rundir));
	return b->spooldir < 0 || b->libdir < 0 || b->rundir < 0 ? -ENOENT : 0;
}

static int take_lock(struct bridge *b)
{
	b->lock = sn_lock_take(b->rundir, "lock", false);
	if (b->lock == -EWOULDBLOCK) {
		sn_warn("another amqp-spool works on %s: waiting for its end", b->home.spool);
		b->lock = sn_lock_take(b->rundir, "lock", true);
	}
	return b->lock < 0 ? b->lock : 0;
}

static void add_watchers(struct bridge *b)
{
	ev_io_init(&b->inotify_watch, on_inotify, b->inotify, EV_READ);
	ev_async_init(&b->wake, on_wake);
	ev_prepare_init(&b->prepare, on_prepare);
	ev_init(&b->sync_timer, on_sync_timer);
	ev_init(&b->retry_timer, on_retry);
	ev_init(&b->poll_timer, busy_poll);
	ev_timer_init(&b->room_timer, on_room, FULL_RETRY_S, FULL_RETRY_S); /* runs while b->full */
	ev_timer_init(&b->reconcile_timer, on_reconcile, b->reconcile_s, b->reconcile_s);
	b->inotify_watch.data = b->wake.data = b->prepare.data = b->sync_timer.data = b->retry_timer.data =
		b->poll_timer.data = b->room_timer.data = b->reconcile_timer.data = b;
	ev_io_start(b->loop, &b->inotify_watch);
	ev_async_start(b->loop, &b->wake);
	ev_prepare_start(b->loop, &b->prepare);
	ev_timer_start(b->loop, &b->reconcile_timer);
	signals_watch(b);
}

static int start(struct bridge *b)
{
	int r;

	b->started_us = sn_clock_real_us();
	b->reconcile_s = reconcile_every_s();
	TAILQ_INIT(&b->participants);
	STAILQ_INIT(&b->unusable);
	TAILQ_INIT(&b->busy);
	TAILQ_INIT(&b->ready);
	TAILQ_INIT(&b->waiting);
	TAILQ_INIT(&b->unsynced);
	TAILQ_INIT(&b->talking);
	TAILQ_INIT(&b->muted);
	STAILQ_INIT(&b->detached);
	STAILQ_INIT(&b->taken);
	b->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (b->inotify < 0) {
		(void)snprintf(b->why, sizeof b->why,
			       "no inotify instance is left (fs.inotify.max_user_instances): %s",
			       strerror(errno)); /* fits */
		return -errno;
	}
	b->loop = ev_default_loop(EVFLAG_NOSIGMASK);
	if (b->loop == NULL)
		return -EINVAL;
	add_watchers(b);
	b->disk = disk_new(b);
	if (b->disk == NULL)
		return -ENOMEM;
	status_write(b, "starting");
	gone_load(b);
	r = participants_load(b);
	if (r < 0 && r != -EINVAL)
		sn_err("cannot read the participants: %s", strerror(-r));
	bridge_check_secret(b);
	if (!bridge_brokerless(b)) {
		b->publisher = publisher_new(b);
		if (b->publisher == NULL)
			return -EINVAL;
		b->consumer = consumer_new(b);
		b->air = air_new(b);
		bridge_check_room(b);
		consumer_reconnect(b->consumer, "start");
	}
	status_touch(b);
	return 0;
}

static void finish(struct bridge *b)
{
	/* A broker that has not answered so far is not waited for again. */
	const bool late = b->stopping && sn_clock_mono_ns() >= b->stop_deadline_ns;

	collect(b);
	air_free(b->air, late ? 0. : 0.5);
	consumer_free(b->consumer);
	publisher_free(b->publisher, late ? 0. : 1.);
	disk_free(b->disk);
	status_write(b, "down");
}

static void config_error(struct bridge *b, const char *why)
{
	struct sn_status s = {.since_us = sn_clock_real_us(), .pid = getpid(), .code = SN_EXIT_CONFIG};

	s.state = sn_strdup("config-error");
	s.reason = sn_strdup(why);
	if (sn_status_write(b->rundir, &s) < 0)
		sn_warn("cannot write run/amqp-spool/status");
	sn_status_release(&s);
}

static const char HELP[] =
	"Usage: amqp-spool [--home DIR]\n"
	"The bridge between the broker and the spools of a host's participants; run by runsv as skynet-amqp-spool.\n"
	"\n"
	"      --home DIR   the home (default: SKYNET_HOME, else the system home)\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"Signals: HUP reads the configuration again; TERM and INT end it within 5 s.\n"
	"Exit status: 0; 64 usage; 78 configuration; 111 temporary. See amqp-spool(8).\n";

static int parse_options(int argc, char **argv, const char **ret_home)
{
	static const struct option LONG[] = {{"home", required_argument, NULL, 'H'},
					     {"help", no_argument, NULL, 'h'},
					     {"version", no_argument, NULL, 'V'},
					     {NULL, 0, NULL, 0}};
	int c;

	while ((c = getopt_long(argc, argv, "hV", LONG, NULL)) != -1) {
		if (c == 'H') {
			*ret_home = optarg;
		} else if (c == 'h' || c == 'V') {
			(void)fputs(c == 'h' ? HELP : "amqp-spool " SN_VERSION "\n", stdout);
			return -1;
		} else {
			return SN_EXIT_USAGE;
		}
	}
	if (optind < argc)
		(void)fprintf(stderr, "amqp-spool: unexpected argument '%s'\n", argv[optind]);
	return optind < argc ? SN_EXIT_USAGE : 0;
}

static int run(struct bridge *b)
{
	struct sn_config_reader rd = {0};
	int r;

	if (open_dirs(b) < 0) {
		if (b->rundir >= 0)
			config_error(b, b->why);
		return SN_EXIT_CONFIG;
	}
	r = sn_home_config(&b->home, NULL, &rd, &b->config);
	if (r < 0) {
		config_error(b, "bad configuration, see the log");
		return SN_EXIT_CONFIG;
	}
	sn_log_set_level(b->config.skynet.log_level);
	r = take_lock(b);
	if (r == 0)
		r = start(b);
	if (r < 0) {
		sn_err("cannot start: %s", strerror(-r));
		config_error(b, b->why[0] != '\0' ? b->why : "cannot start, see the log");
		return r == -EINVAL ? SN_EXIT_CONFIG : SN_EXIT_TEMPORARY;
	}
	ev_run(b->loop, 0);
	finish(b);
	return b->exit_code;
}

/* Eight for each participant, and one for each of its workers. */
static void more_descriptors(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur == l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &l) < 0)
		sn_debug("cannot raise the limit of open files: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	struct bridge b = {0};
	const char *home = NULL;
	int r;

	signals_hold();
	r = parse_options(argc, argv, &home);
	if (r != 0)
		return r < 0 ? SN_EXIT_OK : r;
	(void)signal(SIGPIPE, SIG_IGN); /* errors are seen where they happen */
	(void)prctl(PR_SET_PDEATHSIG,
		    SIGTERM); /* a runsv that was killed starts another one beside us otherwise */
	umask(022);
	logger_start();
	more_descriptors();
	r = sn_home_init(&b.home, home);
	if (r < 0) {
		sn_err("no home %s: %s", home != NULL ? home : "", strerror(-r));
		return SN_EXIT_CONFIG;
	}
	_exit(run(&b)); /* a thread that waits for the broker may be left: nothing is taken away under it */
}
