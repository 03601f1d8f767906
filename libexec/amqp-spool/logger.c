#include "logger.h"

#include <poll.h>
#include <pthread.h>

#include "base/log.h"

static struct { /* all threads log */
	pthread_mutex_t lock;
	unsigned long dropped;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A pipe that is writable for poll(2) takes PIPE_BUF bytes; a line is shorter. A signal ends the wait: TERM is waited for, too. */
static bool writable(int timeout_ms)
{
	struct pollfd p = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&p, 1, timeout_ms) > 0;
}

static void put(const char *line, size_t len)
{
	if (write(STDERR_FILENO, line, len) < 0) {
		/* the log is gone; there is nowhere to say so */
	}
}

static void sink(const char *line, size_t len)
{
	char text[80];
	int n;

	pthread_mutex_lock(&state.lock);
	if (!writable(state.dropped == 0 ? LOGGER_PATIENCE_MS : 0)) {
		state.dropped++;
	} else {
		if (state.dropped > 0) {
			n = snprintf(text, sizeof text, "warning: %lu lines dropped: the log took nothing\n",
				     state.dropped);
			put(text, (size_t)n);
			state.dropped = writable(0) ? 0 : 1;
		}
		if (state.dropped == 0)
			put(line, len);
	}
	pthread_mutex_unlock(&state.lock);
}

void logger_start(void)
{
	sn_log_set_sink(sink);
}
