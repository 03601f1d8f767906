#include "svc/programs.h"

#include <limits.h>

#include "base/mem.h"

char *sn_programs_dir(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	const char *slash;

	if (n < 0)
		return sn_strdup(".");
	self[n] = '\0';
	slash = strrchr(self, '/');
	return sn_strndup(self, slash != NULL ? (size_t)(slash - self) : 0);
}

const char *sn_programs_worker(const char *code)
{
	static const struct {
		const char *end, *program;
	} KINDS[] = {{".py", "exo-python"}, {".so", "exo-so"}, {"", "exo-exec"}};
	const size_t len = strlen(code);
	size_t i = 0;

	while (strlen(KINDS[i].end) > len || strcmp(code + len - strlen(KINDS[i].end), KINDS[i].end) != 0)
		i++;
	return KINDS[i].program;
}
