#include "base/fail.h"

#ifdef SN_TESTING

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

/* SKYNET_FAIL_ONCE=FILE: only the first process that can create FILE is hit. */
static bool my_turn(void)
{
	const char *once = getenv("SKYNET_FAIL_ONCE");
	int fd;

	if (once == NULL)
		return true;
	fd = open(once, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0)
		return false;
	(void)close(fd); /* an empty marker */
	return true;
}

int sn_fail(const char *step)
{
	const char *spec = getenv("SKYNET_FAIL");
	size_t len = strlen(step);

	for (; spec != NULL && *spec != '\0'; spec += strcspn(spec, ",") + (strchr(spec, ',') != NULL)) {
		const char *action;

		if (strncmp(spec, step, len) != 0 || spec[len] != ':')
			continue;
		if (!my_turn())
			return 0;
		action = spec + len + 1;
		if (strncmp(action, "kill", 4) == 0)
			(void)kill(getpid(), SIGKILL); /* does not return */
		return strncmp(action, "enospc", 6) == 0 ? -ENOSPC : -EIO;
	}
	return 0;
}

#else
typedef int sn_fail_is_empty; /* ISO C wants a declaration */
#endif
