/* wiload.h - what the parts of wiload share.
 *
 * Two threads, each with its own connection, because librabbitmq connections
 * are not thread safe and because a broker that throttles publishers must not
 * stop us from consuming: the main thread consumes replies, the other one
 * publishes. They share struct run, under its lock. */
#ifndef WILOAD_H
#define WILOAD_H

#include "amqp_util.h"
#include "workitem.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum exit_code { EXIT_ALL_OK = 0, EXIT_USAGE = 1, EXIT_TROUBLE = 2, EXIT_NOT_EXACTLY_ONCE = 3 };

struct options {
	struct broker_addr broker;
	const char *queue;
	const char *reply_queue;
	size_t count;
	size_t size_bytes;
	size_t window;	       /* most workitems published but not answered */
	size_t confirm_window; /* most workitems published but not confirmed */
	double idle_timeout_s;
	double linger_s;
	bool closed; /* mode closed: one at a time */
	bool check_result;
	bool json;
	bool quiet;
	bool print;
	bool help;
};

struct item {
	int64_t sent_ns;
	int64_t answered_ns; /* first reply; 0: none yet */
	uint32_t replies;
	bool confirmed; /* publisher thread only */
};

struct run {
	const struct options *opt;
	struct workitem_template tpl;
	struct item *items;

	/* Publisher thread only, until it is joined. */
	amqp_connection_state_t pub_conn;
	size_t unconfirmed;
	size_t confirm_floor; /* every item below it is confirmed */
	size_t nacked;

	pthread_mutex_t lock;
	pthread_cond_t room; /* answered or stop changed */
	/* Below: under lock while the publisher runs. */
	size_t published;
	size_t answered; /* workitems with at least one reply */
	int64_t first_sent_ns, last_sent_ns;
	bool publisher_done, publisher_failed;
	bool stop; /* consumer gave up: the publisher shall return */

	/* Main thread only. */
	amqp_connection_state_t sub_conn;
	int64_t first_answer_ns, last_answer_ns;
	size_t duplicates, foreign, malformed, errors, without_result;
};

/* wiload_options.c: false after a usage error, already reported. */
bool options_parse(int argc, char **argv, struct options *ret_opt);
void options_usage(void);

/* wiload_publish.c: a thread's main; arg is the struct run. */
void *publisher_main(void *arg);

/* wiload_consume.c: declares both queues and subscribes to the replies. */
bool consumer_start(struct run *r);
/* Consumes until every workitem is answered and the linger time has passed, until nothing
 * happened for the idle timeout, or *interrupted. False: AMQP trouble, reported. */
bool consume_replies(struct run *r, const volatile sig_atomic_t *interrupted);

/* wiload_report.c: prints the report, returns an enum exit_code. */
int report(const struct run *r, uint32_t left_in_queue);

#endif
