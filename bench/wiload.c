/* wiload - load generator and checker for SkyNET participants.
 *
 * Publishes N persistent ruote workitems to a participant's queue, with
 * publisher confirms, and consumes the replies. Replies are matched to
 * workitems by fei.wfid, and every workitem must be answered exactly once. */
#include "wiload.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	(void)sig;
	interrupted = 1;
}

/* Stops the publisher, which may be blocked in a write. True: it had finished by itself. */
static bool join_publisher(struct run *r, pthread_t publisher)
{
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->room);
	bool done = r->publisher_done;
	pthread_mutex_unlock(&r->lock);
	if (!done)
		(void)shutdown(amqp_get_sockfd(r->pub_conn), SHUT_RDWR); /* wakes it up */
	pthread_join(publisher, NULL);
	return done && !r->publisher_failed;
}

/* Runs the load on the two open connections. */
static int run_load(struct run *r)
{
	pthread_t publisher;
	uint32_t left = 0;

	if (!consumer_start(r))
		return EXIT_TROUBLE;
	amqp_confirm_select(r->pub_conn, BROKER_CHANNEL);
	if (!rpc_ok(amqp_get_rpc_reply(r->pub_conn), "confirm.select"))
		return EXIT_TROUBLE;
	int err = pthread_create(&publisher, NULL, publisher_main, r);
	if (err != 0) {
		fprintf(stderr, "cannot start a thread: %s\n", strerror(err));
		return EXIT_TROUBLE;
	}
	bool ok = consume_replies(r, &interrupted);
	/* What the participant has never taken off its queue. The publisher's channel is
	 * asked: no deliveries come in between there. */
	if (join_publisher(r, publisher) && !declare_durable_queue(r->pub_conn, r->opt->queue, &left))
		ok = false;
	int code = report(r, left);
	return ok ? code : EXIT_TROUBLE;
}

static int connect_and_run(struct run *r)
{
	int code = EXIT_TROUBLE;

	r->items = calloc(r->opt->count, sizeof *r->items);
	if (r->items == NULL) {
		fprintf(stderr, "wiload: out of memory\n");
		return EXIT_TROUBLE;
	}
	r->pub_conn = broker_open(&r->opt->broker);
	r->sub_conn = r->pub_conn != NULL ? broker_open(&r->opt->broker) : NULL;
	if (r->sub_conn != NULL)
		code = run_load(r);
	broker_close(r->sub_conn);
	broker_close(r->pub_conn);
	free(r->items);
	return code;
}

static int print_workitem(const struct workitem_template *tpl)
{
	bool written = fwrite(tpl->json, 1, tpl->len, stdout) == tpl->len && fflush(stdout) == 0;
	return written ? EXIT_ALL_OK : EXIT_TROUBLE;
}

int main(int argc, char **argv)
{
	struct options opt;
	struct run r = {.opt = &opt, .lock = PTHREAD_MUTEX_INITIALIZER, .room = PTHREAD_COND_INITIALIZER};
	const struct sigaction sa = {.sa_handler = on_signal};

	if (!options_parse(argc, argv, &opt)) {
		fprintf(stderr, "Try 'wiload --help'.\n");
		return EXIT_USAGE;
	}
	if (opt.help) {
		options_usage();
		return EXIT_ALL_OK;
	}
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	if (!workitem_build(&r.tpl, opt.queue, opt.size_bytes)) {
		fprintf(stderr, "wiload: cannot build a workitem of %zu bytes\n", opt.size_bytes);
		return EXIT_TROUBLE;
	}
	int code = opt.print ? print_workitem(&r.tpl) : connect_and_run(&r);
	workitem_free(&r.tpl);
	return code;
}
