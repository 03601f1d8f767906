#include "base/about.h"

bool sn_about(int argc, char *const *argv, const char *program, const char *help)
{
	const char *first = argc > 1 ? argv[1] : "";

	if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0)
		printf("usage: %s %s", program, help);
	else if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0)
		printf("%s %s\n", program, SN_VERSION);
	else
		return false;
	(void)fflush(stdout);
	return true;
}
