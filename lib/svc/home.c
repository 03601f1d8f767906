#include "svc/home.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "data/name.h"

enum { NAMES_MAX = 4096 };

struct names { /* NULL-terminated */
	char **list;
	size_t count;
};

static void add_name(struct names *n, char *owned)
{
	n->list = sn_realloc(n->list, (n->count + 2) * sizeof *n->list);
	n->list[n->count++] = owned;
	n->list[n->count] = NULL;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void set_system(struct sn_home *h)
{
	*h = (struct sn_home){
		.system = true,
		.root = sn_strdup("/"),
		.etc = sn_strdup("/etc/skynet"),
		.sv = sn_strdup("/etc/skynet/sv"),
		.service = sn_strdup("/etc/service"),
		.spool = sn_strdup("/var/spool/skynet"),
		.lib = sn_strdup("/var/lib/skynet"),
		.log = sn_strdup("/var/log/skynet"),
		.run = sn_strdup("/run/skynet"),
	};
}

static void set_local(struct sn_home *h, const char *root)
{
	*h = (struct sn_home){
		.root = sn_strdup(root),
		.etc = sn_asprintf("%s/etc", root),
		.sv = sn_asprintf("%s/sv", root),
		.service = sn_asprintf("%s/service", root),
		.spool = sn_asprintf("%s/spool", root),
		.lib = sn_asprintf("%s/lib", root),
		.log = sn_asprintf("%s/log", root),
		.run = sn_asprintf("%s/run", root),
	};
}

int sn_home_init(struct sn_home *h, const char *option)
{
	char root[PATH_MAX];
	struct stat st;

	if (option == NULL)
		option = getenv("SKYNET_HOME");
	if (option == NULL || option[0] == '\0')
		option = "/";
	if (realpath(option, root) == NULL)
		return -errno;
	if (stat(root, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (strcmp(root, "/") == 0)
		set_system(h);
	else
		set_local(h, root);
	return 0;
}

void sn_home_release(struct sn_home *h)
{
	char *const all[] = {h->root, h->etc, h->sv, h->service, h->spool, h->lib, h->log, h->run};

	for (size_t i = 0; i < SN_COUNT(all); i++)
		free(all[i]);
	*h = (struct sn_home){0};
}

void sn_home_files_free(char **files)
{
	for (size_t i = 0; files != NULL && files[i] != NULL; i++)
		free(files[i]);
	free(files);
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), e = strlen(end);

	return n > e && strcmp(name + n - e, end) == 0;
}

/* Adds dir's *.conf, sorted, but no hidden ones. */
static void add_include_dir(struct names *files, const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	size_t first = files->count;

	while (d != NULL && files->count < NAMES_MAX && (entry = readdir(d)) != NULL) {
		if (entry->d_name[0] != '.' && ends_with(entry->d_name, ".conf"))
			add_name(files, sn_asprintf("%s/%s", dir, entry->d_name));
	}
	if (d != NULL)
		(void)closedir(d); /* nothing was written */
	if (files->count > first)
		qsort(files->list + first, files->count - first, sizeof *files->list, by_name);
}

static void cannot_read(struct sn_config_reader *rd, const char *path, int error)
{
	rd->errors++;
	if (rd->complain != NULL)
		rd->complain(rd->arg, true, path, 0, strerror(error));
	else
		sn_err("%s: cannot be read: %s", path, strerror(error));
}

static int merge(const struct sn_home *h, char *const *files, struct sn_config_reader *rd,
		 struct sn_config *c)
{
	int r, ret = 0;

	for (size_t i = 0; files[i] != NULL; i++) {
		r = sn_config_read_file(c, files[i], rd);
		if (r == 0 || r == -ENOENT || r == -ENOTDIR || (r == -EACCES && i == 0 && h->system))
			continue;
		if (r != -EINVAL)
			cannot_read(rd, files[i], -r);
		ret = -EINVAL;
	}
	return ret;
}

static void silent(void *arg, bool error, const char *file, unsigned line, const char *text)
{
	(void)arg, (void)error, (void)file, (void)line, (void)text;
}

/* include_dir as the files so far have it. */
static char *find_include_dir(const struct sn_home *h, char *const *files)
{
	struct sn_config c;
	struct sn_config_reader rd = {.complain = silent};
	char *dir = NULL;

	sn_config_init(&c);
	if (merge(h, files, &rd, &c) < 0)
		rd.errors =
			0; /* what could be read decides; the rest is said when the files are read for good */
	if (c.skynet.include_dir[0] == '/')
		dir = sn_strdup(c.skynet.include_dir);
	else if (c.skynet.include_dir[0] != '\0')
		dir = sn_asprintf("%s/%s", h->etc, c.skynet.include_dir);
	sn_config_release(&c);
	return dir;
}

char **sn_home_config_files(const struct sn_home *h, const char *participant)
{
	struct names files = {0};
	SN_AUTOFREE char *dir = NULL;

	if (h->system)
		add_name(&files, sn_strdup("/etc/boss/boss.conf"));
	add_name(&files, sn_asprintf("%s/skynet.conf", h->etc));
	if (participant != NULL)
		add_name(&files, sn_asprintf("%s/skynet-%s/config.exo", h->sv, participant));
	dir = find_include_dir(h, files.list);
	if (dir != NULL)
		add_include_dir(&files, dir);
	if (participant != NULL)
		add_name(&files, sn_asprintf("%s/%s.conf", h->etc, participant));
	return files.list;
}

static bool exists(const struct sn_home *h, const char *participant)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/skynet-%s/config.exo", h->sv, participant);

	return access(path, F_OK) == 0;
}

int sn_home_config(const struct sn_home *h, const char *participant, struct sn_config_reader *rd,
		   struct sn_config *ret)
{
	char **files;
	int r;

	sn_config_init(ret);
	if (participant != NULL && (!sn_participant_valid(participant) || !exists(h, participant)))
		return -ENOENT;
	files = sn_home_config_files(h, participant);
	r = merge(h, files, rd, ret);
	sn_home_files_free(files);
	if (r == 0 && participant != NULL && ret->participant.queue[0] == '\0')
		r = sn_config_set_text(ret, "participant", "queue", participant);
	return r;
}

int sn_home_participants(const struct sn_home *h, char ***ret_names)
{
	static const char PREFIX[] = "skynet-";
	struct names names = {.list = sn_calloc(1, sizeof(char *))};
	DIR *d = opendir(h->sv);
	struct dirent *entry;
	const char *name;

	if (d == NULL && errno != ENOENT) {
		free(names.list);
		return -errno;
	}
	while (d != NULL && names.count < NAMES_MAX && (entry = readdir(d)) != NULL) {
		if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) != 0)
			continue;
		name = entry->d_name + sizeof PREFIX - 1;
		if (sn_participant_valid(name) && exists(h, name))
			add_name(&names, sn_strdup(name));
	}
	if (d != NULL)
		(void)closedir(d); /* nothing was written */
	qsort(names.list, names.count, sizeof *names.list, by_name);
	*ret_names = names.list;
	return 0;
}

bool sn_home_enabled(const struct sn_home *h, const char *participant)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/skynet-%s", h->service, participant);
	struct stat st;

	return lstat(path, &st) == 0;
}
