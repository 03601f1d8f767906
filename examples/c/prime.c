/* A participant in C, as a program: is the param `n` a prime? The exit code is the result, so that nothing is printed.
 *
 * The workitem is read from standard input. What goes to standard error goes to the log, and after an exit code
 * over 1 its last lines stand in the error reply. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKITEM_MAX = 1 << 20 };

static int is_prime(unsigned long long n)
{
	if (n < 2)
		return 0;
	for (unsigned long long d = 2; d <= n / d; d++) {
		if (n % d == 0)
			return 0;
	}
	return 1;
}

int main(void)
{
	static const char KEY[] = "\"n\":";
	static char workitem[WORKITEM_MAX + 1];
	const char *wfid = getenv("SKYNET_WFID"), *at;
	unsigned long long n;
	char *end;

	workitem[fread(workitem, 1, WORKITEM_MAX, stdin)] = '\0';
	at = strstr(workitem, KEY);
	n = at != NULL ? strtoull(at + strlen(KEY), &end, 10) : 0;
	if (at == NULL || end == at + strlen(KEY)) {
		(void)fprintf(stderr, "the param n must be a number\n");
		return 2;
	}
	(void)fprintf(stderr, "%s: %llu is %s prime\n", wfid != NULL ? wfid : "-", n,
		      is_prime(n) ? "a" : "no");
	return is_prime(n) ? 0 : 1;
}
