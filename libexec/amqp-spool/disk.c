#include "disk.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/fail.h"
#include "sys/dir.h"

enum { ROWS_MAX = 65536 };

struct disk {
	struct bridge *b;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	STAILQ_HEAD(, sync_request) wanted, finished;
	struct sn_history_row *rows;
	size_t row_count, row_cap;
	bool stop;
	struct sn_history *history; /* the thread's own; NULL: none is kept */
};

/* ---- the thread -------------------------------------------------------- */

static int sync_one(const struct sync_file *f)
{
	SN_AUTOFD int fd = -1;

	if (f->name[0] == '\0')
		return 0;
	fd = openat(f->dirfd, f->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno; /* answered and retired meanwhile */
	return fdatasync(fd) < 0 ? -errno : 0;
}

static int run_sync(const struct sync_request *r)
{
	int err = SN_FAIL("ack.1");

	if (err == 0 && r->whole && syncfs(r->spoolfd) < 0)
		err = -errno;
	for (size_t i = 0; i < r->count && err == 0 && !r->whole; i++)
		err = sync_one(&r->files[i]);
	if (err == 0)
		err = SN_FAIL("ack.2");
	for (size_t i = 0; i < r->count && err == 0; i++) {
		/* Once for each directory: a participant's files stand together. */
		if (i == 0 || r->files[i].dirfd != r->files[i - 1].dirfd)
			err = sn_dir_sync(r->files[i].dirfd);
	}
	return err;
}

static void write_rows(struct disk *d, const struct sn_history_row *rows, size_t count)
{
	int r = SN_FAIL("retire.5");

	if (d->history == NULL || count == 0)
		return;
	if (r == 0)
		r = sn_history_add(d->history, rows, count);
	if (r < 0) /* the files are the truth */
		sn_warn("cannot write %zu history rows: %s", count, strerror(-r));
	sn_history_checkpoint(d->history);
}

/* Waits until there is a request, or rows that have gathered for 100 ms, or the end. Locked. */
static void wait_for_work(struct disk *d)
{
	struct timespec until;

	while (!d->stop && STAILQ_EMPTY(&d->wanted) && d->row_count == 0)
		(void)pthread_cond_wait(&d->changed, &d->lock);
	if (d->stop || !STAILQ_EMPTY(&d->wanted))
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &until); /* cannot fail for this clock */
	until.tv_nsec += 100000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	while (!d->stop && STAILQ_EMPTY(&d->wanted) &&
	       pthread_cond_timedwait(&d->changed, &d->lock, &until) == 0) {
	}
}

static void *disk_main(void *arg)
{
	struct disk *d = arg;
	bool stop;

	do {
		struct sn_history_row *rows;
		struct sync_request *r;
		size_t count;

		pthread_mutex_lock(&d->lock);
		wait_for_work(d);
		r = STAILQ_FIRST(&d->wanted);
		if (r != NULL)
			STAILQ_REMOVE_HEAD(&d->wanted, link);
		rows = d->rows;
		count = d->row_count;
		d->rows = NULL;
		d->row_count = d->row_cap = 0;
		stop = d->stop && r == NULL;
		pthread_mutex_unlock(&d->lock);
		if (r != NULL) {
			r->error = run_sync(r);
			pthread_mutex_lock(&d->lock);
			STAILQ_INSERT_TAIL(&d->finished, r, link);
			pthread_mutex_unlock(&d->lock);
			ev_async_send(d->b->loop, &d->b->wake);
		}
		write_rows(d, rows, count);
		free(rows);
	} while (!stop);
	return NULL;
}

/* ---- the main thread's side -------------------------------------------- */

struct disk *disk_new(struct bridge *b)
{
	struct disk *d = sn_calloc(1, sizeof *d);
	pthread_condattr_t attr;

	d->b = b;
	STAILQ_INIT(&d->wanted);
	STAILQ_INIT(&d->finished);
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->changed, &attr);
	if (b->config.skynet.history && sn_history_open(b->home.lib, &d->history) < 0)
		sn_warn("cannot open %s/history.db: no history is kept", b->home.lib);
	if (pthread_create(&d->thread, NULL, disk_main, d) != 0) {
		sn_history_close(d->history);
		free(d);
		return NULL;
	}
	return d;
}

void disk_sync(struct disk *d, struct sync_request *r)
{
	pthread_mutex_lock(&d->lock);
	STAILQ_INSERT_TAIL(&d->wanted, r, link);
	pthread_cond_signal(&d->changed);
	pthread_mutex_unlock(&d->lock);
}

struct sync_request *disk_collect(struct disk *d)
{
	struct sync_request *r;

	pthread_mutex_lock(&d->lock);
	r = STAILQ_FIRST(&d->finished);
	if (r != NULL)
		STAILQ_REMOVE_HEAD(&d->finished, link);
	pthread_mutex_unlock(&d->lock);
	return r;
}

void sync_request_free(struct sync_request *r)
{
	for (size_t i = 0; i < r->count; i++) {
		if (i == 0 || r->files[i].dirfd != r->files[i - 1].dirfd)
			(void)close(r->files[i].dirfd); /* a directory: nothing to flush */
	}
	free(r->files);
	free(r);
}

void disk_row(struct disk *d, const struct sn_history_row *row)
{
	if (d->history == NULL)
		return;
	pthread_mutex_lock(&d->lock);
	if (d->row_count == d->row_cap && d->row_cap < ROWS_MAX) {
		d->row_cap = d->row_cap > 0 ? 2 * d->row_cap : 64;
		d->rows = sn_realloc(d->rows, d->row_cap * sizeof *d->rows);
	}
	if (d->row_count < d->row_cap) { /* else the disk is that slow: rebuilt from the files */
		d->rows[d->row_count++] = *row;
		if (d->row_count == 1)
			pthread_cond_signal(&d->changed);
	}
	pthread_mutex_unlock(&d->lock);
}

void disk_free(struct disk *d)
{
	if (d == NULL)
		return;
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_signal(&d->changed);
	pthread_mutex_unlock(&d->lock);
	(void)pthread_join(d->thread, NULL); /* it ends by itself */
	sn_history_close(d->history);
	free(d->rows);
	free(d);
}
