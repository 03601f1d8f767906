/* Broken input for everything that reads bytes of others: seeds are cut, joined and changed at random, and what must hold
 * of any input is checked after each. `make fuzz` builds this with the sanitizers.
 *
 *	fuzz [-t SECONDS] [-s SEED] [TARGET…]	each target (default: all) for SECONDS (default 10)
 *	fuzz -f FILE TARGET			one input once
 *
 * An input that breaks something is left in ./fuzz.failed. */
#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sys/fd.h"
#include "targets.h"

enum { INPUT_MAX = 1 << 16, SEEDS_MAX = 64, MORE = 16 /* changes of one input */ };

/* What is being tried; static, for the sanitizers call back without an argument. */
static struct {
	char *data;
	size_t len;
} current;

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

static void keep_input(void)
{
	int fd = open("fuzz.failed", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || sn_fd_write_all(fd, current.data, current.len) < 0)
		perror("fuzz.failed");
	else
		fprintf(stderr, "fuzz: the input is in fuzz.failed\n");
}

void fuzz_fail(const char *what)
{
	fprintf(stderr, "fuzz: does not hold: %s\n", what);
	keep_input();
	_exit(1);
}

static uint64_t next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	return *x ^= *x << 17;
}

static size_t below(uint64_t *x, size_t n)
{
	return n == 0 ? 0 : (size_t)(next_random(x) % n);
}

struct seeds {
	struct sn_buf list[SEEDS_MAX];
	size_t count;
};

/* What readers care about, put in where nobody expects it. */
static const char *const WORDS[] = {
	"{",	    "}",	   "[",	       "]",
	"\"",	    "\\u0000",	   "\\ud800",  "\\",
	",",	    ":",	   "null",     "true",
	"1e400",    "-0",	   "1.0",      "\n",
	"\n\n",	    "\r\n",	   "=",	       "#",
	"\xc2\x9b", "\xff",	   "\xe2\x80", "\xef\xbb\xbf",
	"\"fei\":", "\"fields\":", "length: ", "99999999999999999999",
	",a1",	    ".m0001",	   "../",
};

static void put_in(const char *data, size_t len, size_t at)
{
	if (len > INPUT_MAX - current.len)
		len = INPUT_MAX - current.len;
	memmove(current.data + at + len, current.data + at, current.len - at);
	memcpy(current.data + at, data, len);
	current.len += len;
}

static void change(const struct seeds *seeds, uint64_t *x)
{
	size_t at = below(x, current.len + 1), left = current.len - at,
	       n = 1 + below(x, left < 64 ? left : 64);
	const struct sn_buf *other = &seeds->list[below(x, seeds->count)];
	const char *word = WORDS[below(x, SN_COUNT(WORDS))];
	size_t from = below(x, other->len);

	switch (below(x, 6)) {
	case 0: /* a byte, any */
		if (left > 0)
			current.data[at] = (char)next_random(x);
		break;
	case 1: /* a bit */
		if (left > 0)
			current.data[at] = (char)(current.data[at] ^ (1 << below(x, 8)));
		break;
	case 2: /* some bytes go */
		if (n <= left) {
			memmove(current.data + at, current.data + at + n, left - n);
			current.len -= n;
		}
		break;
	case 3: /* the end goes */
		if (below(x, 4) == 0)
			current.len = at;
		break;
	case 4:
		put_in(word, strlen(word), at);
		break;
	default: /* a piece of another */
		put_in(other->data + from, 1 + below(x, other->len - from), at);
	}
}

/* A copy of exactly its size, so that a byte read behind it is seen. */
static void try(const struct fuzz_target *target)
{
	SN_AUTOFREE char *exact = sn_malloc(current.len + 1);

	memcpy(exact, current.data, current.len);
	exact[current.len] = '\0';
	target->run(exact, current.len);
}

static void load(struct seeds *seeds, const char *const *texts)
{
	for (; *texts != NULL && seeds->count < SEEDS_MAX; texts++) {
		struct sn_buf *b = &seeds->list[seeds->count++];

		*b = SN_BUF(INPUT_MAX);
		if (sn_buf_adds(b, *texts) < 0)
			abort();
	}
	if (seeds->count == 0)
		abort(); /* a row of the table without any */
}

static void fuzz(const struct fuzz_target *target, double seconds, uint64_t seed)
{
	const int64_t end = sn_clock_mono_ns() + (int64_t)(seconds * 1e9);
	struct seeds seeds = {0};
	unsigned long count = 0;
	uint64_t x = seed;

	load(&seeds, target->seeds);
	do {
		const struct sn_buf *b = &seeds.list[count % seeds.count];

		current.len = 0;
		put_in(b->data, b->len, 0);
		for (size_t n = count < seeds.count ? 0 : 1 + below(&x, MORE); n > 0; n--)
			change(&seeds, &x);
		try(target);
		count++;
	} while (count % 256 != 0 || sn_clock_mono_ns() < end);
	printf("ok    fuzz %-10s %lu inputs\n", target->name, count);
	for (size_t i = 0; i < seeds.count; i++)
		sn_buf_release(&seeds.list[i]);
}

static int one_file(const char *path, const struct fuzz_target *target)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, current.data, INPUT_MAX);

	if (n < 0) {
		perror(path);
		return 1;
	}
	current.len = (size_t)n;
	try(target);
	return 0;
}

static bool wanted(const char *name, char *const *names)
{
	if (*names == NULL)
		return true;
	for (; *names != NULL; names++) {
		if (strcmp(*names, name) == 0)
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)sn_clock_real_us() | 1;
	const char *file = NULL;
	double seconds = 10;
	int opt, done = 0, bad = 0;

	while ((opt = getopt(argc, argv, "t:s:f:")) != -1) {
		if (opt == '?')
			return 64;
		if (opt == 't')
			seconds = strtod(optarg, NULL);
		else if (opt == 's')
			seed = strtoull(optarg, NULL, 10) | 1; /* never 0: that stays 0 */
		else
			file = optarg;
	}
	current.data = sn_malloc(INPUT_MAX);
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(keep_input);
	printf("fuzz: -s %llu\n", (unsigned long long)seed);
	(void)fflush(stdout);
	for (const struct fuzz_target *t = FUZZ_TARGETS; t->name != NULL; t++) {
		if (!wanted(t->name, argv + optind))
			continue;
		done++;
		if (file != NULL)
			bad |= one_file(file, t);
		else
			fuzz(t, seconds, seed);
	}
	free(current.data);
	return done == 0 ? 64 : bad;
}
