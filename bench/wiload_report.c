/* wiload_report.c - what wiload prints at the end. */
#include "wiload.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int compare_int64(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

struct latency {
	double min, mean, p50, p95, p99, max; /* milliseconds; 0 if no reply */
};

/* Nearest-rank percentile of n > 0 sorted values. */
static double percentile_ms(const int64_t *sorted, size_t n, double p)
{
	size_t rank = (size_t)ceil(p / 100.0 * (double)n);
	return (double)sorted[rank > 0 ? rank - 1 : 0] / 1e6;
}

static bool measure_latency(const struct run *r, struct latency *out)
{
	*out = (struct latency){0};
	if (r->answered == 0)
		return true;
	int64_t *ns = malloc(r->answered * sizeof *ns);
	if (ns == NULL) {
		fprintf(stderr, "out of memory\n");
		return false;
	}
	size_t n = 0;
	double sum = 0;
	for (size_t i = 0; i < r->published; i++) {
		if (r->items[i].replies == 0)
			continue;
		ns[n] = r->items[i].answered_ns - r->items[i].sent_ns;
		sum += (double)ns[n++];
	}
	qsort(ns, n, sizeof *ns, compare_int64);
	out->min = (double)ns[0] / 1e6;
	out->mean = sum / (double)n / 1e6;
	out->p50 = percentile_ms(ns, n, 50);
	out->p95 = percentile_ms(ns, n, 95);
	out->p99 = percentile_ms(ns, n, 99);
	out->max = (double)ns[n - 1] / 1e6;
	free(ns);
	return true;
}

static double per_second(size_t n, int64_t from_ns, int64_t to_ns)
{
	return to_ns > from_ns ? (double)n * 1e9 / (double)(to_ns - from_ns) : 0;
}

struct summary {
	struct latency lat;
	double publish_rate, round_trip_rate, drain_rate; /* per second */
	size_t confirmed, missing;
	uint32_t left_in_queue;
	bool ok;
};

static bool summarise(const struct run *r, uint32_t left_in_queue, struct summary *out)
{
	if (!measure_latency(r, &out->lat))
		return false;
	out->publish_rate = per_second(r->published, r->first_sent_ns, r->last_sent_ns);
	out->round_trip_rate = per_second(r->answered, r->first_sent_ns, r->last_answer_ns);
	out->drain_rate = 0;
	if (r->answered > 1)
		out->drain_rate = per_second(r->answered - 1, r->first_answer_ns, r->last_answer_ns);
	out->confirmed = r->published - r->unconfirmed - r->nacked;
	out->missing = r->opt->count - r->answered;
	out->left_in_queue = left_in_queue;
	out->ok = out->missing == 0 && r->duplicates == 0 && r->malformed == 0 && r->nacked == 0 &&
		  r->errors == 0 && left_in_queue == 0 && !(r->opt->check_result && r->without_result > 0);
	return true;
}

static void print_json(const struct run *r, const struct summary *s)
{
	const struct latency *lat = &s->lat;

	printf("{\"count\": %zu, \"size\": %zu, \"window\": %zu, ", r->opt->count, r->opt->size_bytes,
	       r->opt->window);
	printf("\"published\": %zu, \"publish_rate\": %.1f, \"confirmed\": %zu, \"nacked\": %zu, ",
	       r->published, s->publish_rate, s->confirmed, r->nacked);
	printf("\"answered\": %zu, \"round_trip_rate\": %.1f, \"drain_rate\": %.1f, ", r->answered,
	       s->round_trip_rate, s->drain_rate);
	printf("\"latency_ms\": {\"min\": %.3f, \"mean\": %.3f, \"p50\": %.3f, ", lat->min, lat->mean,
	       lat->p50);
	printf("\"p95\": %.3f, \"p99\": %.3f, \"max\": %.3f}, ", lat->p95, lat->p99, lat->max);
	printf("\"duplicates\": %zu, \"missing\": %zu, \"foreign\": %zu, \"malformed\": %zu, ", r->duplicates,
	       s->missing, r->foreign, r->malformed);
	printf("\"errors\": %zu, \"without_result\": %zu, \"left_in_queue\": %" PRIu32 ", ", r->errors,
	       r->without_result, s->left_in_queue);
	printf("\"first_answer_monotonic\": %.6f, \"ok\": %s}\n", (double)r->first_answer_ns / 1e9,
	       s->ok ? "true" : "false");
}

static void print_text(const struct run *r, const struct summary *s)
{
	const struct options *opt = r->opt;
	const struct latency *lat = &s->lat;

	printf("workitems    %zu of %zu bytes, window %zu, %s -> %s\n", opt->count, opt->size_bytes,
	       opt->window, opt->queue, opt->reply_queue);
	printf("published    %zu (%.0f/s), confirmed %zu, nacked %zu\n", r->published, s->publish_rate,
	       s->confirmed, r->nacked);
	printf("round trip   %zu (%.0f/s; %.0f/s from first to last reply)\n", r->answered,
	       s->round_trip_rate, s->drain_rate);
	printf("latency ms   p50 %.3f  p95 %.3f  p99 %.3f  max %.3f  (min %.3f, mean %.3f)\n", lat->p50,
	       lat->p95, lat->p99, lat->max, lat->min, lat->mean);
	printf("duplicates   %zu\nmissing      %zu\n", r->duplicates, s->missing);
	printf("also         %zu foreign, %zu malformed, %zu with an error, %zu without result, ", r->foreign,
	       r->malformed, r->errors, r->without_result);
	printf("%" PRIu32 " left in %s\n", s->left_in_queue, opt->queue);
	printf("verdict      %s\n", s->ok ? "ok" : "NOT OK");
}

int report(const struct run *r, uint32_t left_in_queue)
{
	struct summary s;

	if (!summarise(r, left_in_queue, &s))
		return EXIT_TROUBLE;
	if (r->opt->json)
		print_json(r, &s);
	else
		print_text(r, &s);
	if (fflush(stdout) != 0)
		return EXIT_TROUBLE;
	return s.ok ? EXIT_ALL_OK : EXIT_NOT_EXACTLY_ONCE;
}
