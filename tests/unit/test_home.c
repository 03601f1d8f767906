/* svc/home.h: paths, order of the files, participants. */
#include "test.h"

#include <ftw.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "svc/home.h"

static char root[64];

static void put(const char *name, const char *text)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/%s", root, name);
	FILE *f;

	for (char *p = path + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		assert_true(mkdir(path, 0755) == 0 || errno == EEXIST);
		*p = '/';
	}
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void expect_path(const char *path, const char *below)
{
	SN_AUTOFREE char *want = sn_asprintf("%s/%s", root, below);

	assert_string_equal(path, want);
}

static void test_local(void **state)
{
	struct sn_home h;

	(void)state;
	assert_int_equal(sn_home_init(&h, root), 0);
	assert_false(h.system);
	assert_string_equal(h.root, root);
	expect_path(h.etc, "etc");
	expect_path(h.sv, "sv");
	expect_path(h.service, "service");
	expect_path(h.spool, "spool");
	expect_path(h.lib, "lib");
	expect_path(h.log, "log");
	expect_path(h.run, "run");
	sn_home_release(&h);
	sn_home_release(&h);
}

static void test_system(void **state)
{
	struct sn_home h;

	(void)state;
	assert_int_equal(sn_home_init(&h, "/"), 0);
	assert_true(h.system);
	assert_string_equal(h.root, "/");
	assert_string_equal(h.etc, "/etc/skynet");
	assert_string_equal(h.sv, "/etc/skynet/sv");
	assert_string_equal(h.service, "/etc/service");
	assert_string_equal(h.spool, "/var/spool/skynet");
	assert_string_equal(h.lib, "/var/lib/skynet");
	assert_string_equal(h.log, "/var/log/skynet");
	assert_string_equal(h.run, "/run/skynet");
	sn_home_release(&h);
}

static void test_choice(void **state)
{
	struct sn_home h;
	SN_AUTOFREE char *slashes = sn_asprintf("%s//etc/../", root);

	(void)state;
	put("etc/skynet.conf", "");
	assert_int_equal(setenv("SKYNET_HOME", root, 1), 0);
	assert_int_equal(sn_home_init(&h, NULL), 0);
	assert_string_equal(h.root, root);
	sn_home_release(&h);
	assert_int_equal(sn_home_init(&h, "/"), 0); /* the option wins */
	assert_true(h.system);
	sn_home_release(&h);
	assert_int_equal(unsetenv("SKYNET_HOME"), 0);
	assert_int_equal(sn_home_init(&h, NULL), 0);
	assert_true(h.system);
	sn_home_release(&h);
	assert_int_equal(sn_home_init(&h, slashes), 0);
	assert_string_equal(h.root, root);
	sn_home_release(&h);
	assert_int_equal(sn_home_init(&h, "/nonexistent/x"), -ENOENT);
	assert_int_equal(sn_home_init(&h, "/dev/null"), -ENOTDIR);
}

static void test_files(void **state)
{
	static const char *const WANT[] = {"etc/skynet.conf", "sv/skynet-P1/config.exo", "etc/inc/A.conf",
					   "etc/inc/a.conf",  "etc/inc/b.conf",		 "etc/P1.conf"};
	struct sn_home h;
	char **files;
	size_t i;

	(void)state;
	put("etc/skynet.conf", "[skynet]\ninclude_dir = nowhere\n");
	put("sv/skynet-P1/config.exo", "[skynet]\ninclude_dir = inc\n");
	put("etc/inc/b.conf", "[skynet]\ninclude_dir = other\n"); /* too late to count */
	put("etc/inc/a.conf", "");
	put("etc/inc/A.conf", "");
	put("etc/inc/a.conf.bak", "");
	put("etc/inc/.hidden.conf", "");
	assert_int_equal(sn_home_init(&h, root), 0);
	files = sn_home_config_files(&h, "P1");
	for (i = 0; i < SN_COUNT(WANT); i++)
		expect_path(files[i], WANT[i]);
	assert_null(files[i]);
	sn_home_files_free(files);
	files = sn_home_config_files(&h, NULL); /* the host's own: no include_dir "inc" from P1 */
	expect_path(files[0], "etc/skynet.conf");
	assert_null(files[1]);
	sn_home_files_free(files);
	sn_home_release(&h);
	assert_int_equal(sn_home_init(&h, "/"), 0);
	files = sn_home_config_files(&h, NULL);
	assert_string_equal(files[0], "/etc/boss/boss.conf");
	assert_string_equal(files[1], "/etc/skynet/skynet.conf");
	sn_home_files_free(files);
	sn_home_release(&h);
}

static unsigned prefetch_of_p1(void)
{
	struct sn_home h;
	struct sn_config c;
	struct sn_config_reader rd = {0};
	unsigned prefetch;

	assert_int_equal(sn_home_init(&h, root), 0);
	assert_int_equal(sn_home_config(&h, "P1", &rd, &c), 0);
	prefetch = c.participant.prefetch;
	sn_config_release(&c);
	sn_home_release(&h);
	return prefetch;
}

static void test_precedence(void **state)
{
	(void)state;
	put("sv/skynet-P1/config.exo", "");
	assert_int_equal(prefetch_of_p1(), 400);
	put("etc/skynet.conf", "[participant]\nprefetch = 1\n");
	assert_int_equal(prefetch_of_p1(), 1);
	put("sv/skynet-P1/config.exo", "[participant]\nprefetch = 2\n");
	assert_int_equal(prefetch_of_p1(), 2);
	put("etc/conf.d/10.conf", "[participant]\nprefetch = 3\n");
	assert_int_equal(prefetch_of_p1(), 3);
	put("etc/conf.d/20.conf", "[participant]\nprefetch = 4\n");
	assert_int_equal(prefetch_of_p1(), 4);
	put("etc/P1.conf", "[participant]\nprefetch = 5\n");
	assert_int_equal(prefetch_of_p1(), 5);
}

static void test_config(void **state)
{
	struct sn_home h;
	struct sn_config c;
	struct sn_config_reader rd = {0};

	(void)state;
	put("sv/skynet-P1/config.exo", "");
	put("sv/skynet-P2/run", "");
	assert_int_equal(sn_home_init(&h, root), 0);
	assert_int_equal(sn_home_config(&h, "P1", &rd, &c), 0);
	assert_string_equal(c.participant.queue, "P1");
	sn_config_release(&c);
	put("sv/skynet-P1/config.exo", "[participant]\nqueue = q\n");
	assert_int_equal(sn_home_config(&h, "P1", &rd, &c), 0);
	assert_string_equal(c.participant.queue, "q");
	sn_config_release(&c);
	assert_int_equal(sn_home_config(&h, NULL, &rd, &c), 0);
	assert_string_equal(c.participant.queue, "");
	sn_config_release(&c);
	assert_int_equal(sn_home_config(&h, "P2", &rd, &c), -ENOENT);
	sn_config_release(&c);
	assert_int_equal(sn_home_config(&h, "../P1", &rd, &c), -ENOENT);
	sn_config_release(&c);
	sn_home_release(&h);
}

static void count_complaint(void *arg, bool error, const char *file, unsigned line, const char *text)
{
	(void)line, (void)text, (void)file;
	*(unsigned *)arg += error ? 1 : 100;
}

/* Each wrong file is told about once, however often it is looked at on the way. */
static void test_bad_files(void **state)
{
	struct sn_home h;
	struct sn_config c;
	unsigned said = 0;
	struct sn_config_reader rd = {.complain = count_complaint, .arg = &said};

	(void)state;
	put("etc/skynet.conf", "[participant]\nprefetch = x\n");
	put("sv/skynet-P1/config.exo", "[participant]\ninstances = x\n");
	put("etc/P1.conf/x", ""); /* a directory */
	assert_int_equal(sn_home_init(&h, root), 0);
	assert_int_equal(sn_home_config(&h, "P1", &rd, &c), -EINVAL);
	assert_int_equal(said, 3);
	assert_int_equal(rd.errors, 3);
	sn_config_release(&c);
	sn_home_release(&h);
}

static void test_participants(void **state)
{
	struct sn_home h;
	char **names;
	SN_AUTOFREE char *link = sn_asprintf("%s/service/skynet-B", root);

	(void)state;
	assert_int_equal(sn_home_init(&h, root), 0);
	assert_int_equal(sn_home_participants(&h, &names), 0);
	assert_null(names[0]);
	sn_home_files_free(names);
	put("sv/skynet-b/config.exo", "");
	put("sv/skynet-B/config.exo", "");
	put("sv/skynet-a.1_x-y/config.exo", "");
	put("sv/skynet-none/run", "");
	put("sv/skynet-amqp-spool/config.exo", "");
	put("sv/skynet-.x/config.exo", "");
	put("sv/other-c/config.exo", "");
	assert_int_equal(sn_home_participants(&h, &names), 0);
	assert_string_equal(names[0], "B");
	assert_string_equal(names[1], "a.1_x-y");
	assert_string_equal(names[2], "b");
	assert_null(names[3]);
	sn_home_files_free(names);
	put("service/x", "");
	assert_int_equal(symlink("../sv/gone", link), 0);
	assert_true(sn_home_enabled(&h, "B"));
	assert_false(sn_home_enabled(&h, "b"));
	sn_home_release(&h);
}

/* boss.conf that may not be read is skipped; the same of any other file is an error. Needs root: a changed root. */
static void test_unreadable(void **state)
{
	struct sn_home h;
	struct sn_config c;
	struct sn_config_reader rd = {.complain = count_complaint};
	unsigned said = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	put("etc/boss/boss.conf", "[boss]\namqp_host = secret\n");
	put("etc/skynet/skynet.conf", "[boss]\namqp_user = u\n");
	rd.arg = &said;
	pid = fork();
	if (pid == 0) {
		if (chmod(root, 0755) < 0 || chroot(root) < 0 || chdir("/") < 0 ||
		    chmod("/etc/boss/boss.conf", 0600) < 0 || setgid(65534) < 0 || setuid(65534) < 0 ||
		    sn_home_init(&h, "/") < 0)
			_exit(1);
		if (sn_home_config(&h, NULL, &rd, &c) != 0 || said != 0 || strcmp(c.boss.user, "u") != 0 ||
		    strcmp(c.boss.host, "none") != 0)
			_exit(2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, (int *)&said, 0), pid);
	assert_int_equal(said, 0);
}

static int setup(void **state)
{
	(void)state;
	memcpy(root, "/tmp/test_home.XXXXXX", sizeof "/tmp/test_home.XXXXXX");
	return mkdtemp(root) == NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_local, setup, teardown),
		cmocka_unit_test_setup_teardown(test_system, setup, teardown),
		cmocka_unit_test_setup_teardown(test_choice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_precedence, setup, teardown),
		cmocka_unit_test_setup_teardown(test_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_participants, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
