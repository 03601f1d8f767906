#include "svc/remote.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "svc/pretty.h"

enum { WFID_MAX = 128, GRACE_NS = 1000000000, WAIT_MAX_MS = 10000 };

/* As the bridges have it: else the routing key would be nobody's. */
static bool is_served(const char *wfid)
{
	static const char SIGNS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-";
	size_t len = strlen(wfid);

	return len > 0 && len <= WFID_MAX && strspn(wfid, SIGNS) == len && strchr("_.:-", wfid[0]) == NULL;
}

static void become_amqp_call(const struct sn_cli *cli, const struct sn_remote_ask *ask, int out)
{
	int64_t wait_ns = ask->timeout_ns > GRACE_NS ? ask->timeout_ns - GRACE_NS : 0;
	SN_AUTOFREE char *path = sn_cli_sibling("amqp-call");
	SN_AUTOFREE char *service = sn_asprintf("%s%s%s", ask->participant == NULL ? "" : ask->participant,
						ask->participant == NULL ? "" : ".", ask->wfid);
	SN_AUTOFREE char *timeout = sn_asprintf("%.3f", (double)ask->timeout_ns / 1e9);
	SN_AUTOFREE char *wait =
		sn_asprintf("%d", wait_ns / 1000000 > WAIT_MAX_MS ? WAIT_MAX_MS : (int)(wait_ns / 1000000));
	SN_AUTOFREE char *kill = sn_asprintf("%ld", ask->kill_s);

	if (dup2(out, STDOUT_FILENO) == STDOUT_FILENO)
		execl(path, "amqp-call", "--home", cli->home.root, "--as", cli->command->name, "--timeout",
		      timeout, "--wait", wait, "--kill", kill, "air", service, ask->what, (char *)NULL);
	fprintf(stderr, "%s: cannot run %s: %s\n", cli->command->name, path, strerror(errno));
	_exit(SN_EXIT_FAILED);
}

int sn_remote_ask(const struct sn_cli *cli, const struct sn_remote_ask *ask,
		  void (*each)(void *arg, struct sn_span answer), void *arg)
{
	char *line = NULL;
	size_t size = 0;
	int ends[2], status = 0;
	FILE *answers;
	ssize_t len;
	pid_t pid;

	if (!is_served(ask->wfid))
		sn_cli_usage(cli, "'%s' is no WFID that can be asked for from afar", ask->wfid);
	(void)fflush(stdout); /* the child must not print it again */
	pid = pipe(ends) < 0 ? -1 : fork();
	if (pid == 0)
		become_amqp_call(cli, ask, ends[1]);
	answers = pid < 0 ? NULL : fdopen(ends[0], "r");
	if (answers == NULL)
		sn_cli_die(cli, SN_EXIT_TRY_AGAIN, "cannot start amqp-call: %s", strerror(errno));
	(void)close(ends[1]); /* the child's */
	while ((len = getline(&line, &size, answers)) > 0) {
		if (sn_json_object(line, (size_t)len, NULL, NULL, 0) == 0)
			each(arg, (struct sn_span){.data = line, .len = (size_t)len});
		if (fflush(stdout) != 0)
			break; /* nobody reads on */
	}
	free(line);
	(void)fclose(answers); /* read only */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : SN_EXIT_FAILED;
}

/* Both are from afar. */
static void make_name(struct sn_span host, struct sn_span participant, char ret_name[384])
{
	struct sn_span part[] = {host, participant};
	struct sn_buf b = SN_BUF(4096);
	int r = 0;

	for (size_t i = 0; i < SN_COUNT(part) && r == 0; i++) {
		char text[129];
		size_t len = sn_json_text(part[i], text, sizeof text);

		r = i > 0 ? sn_buf_add(&b, " ", 1) : 0;
		if (r == 0)
			r = len == 0 ? sn_buf_add(&b, "?", 1) : sn_pretty_line(text, len, &b);
	}
	(void)snprintf(ret_name, 384, "%s", b.data != NULL ? b.data : "?"); /* cut where all is escaped */
	sn_buf_release(&b);
}

void sn_remote_each(struct sn_span answer, void (*each)(void *arg, const struct sn_remote_part *part),
		    void *arg)
{
	static const char *const KEYS[] = {"host", "participants"}, *const PART[] = {"workitems", "lines",
										     "code", "error"};
	struct sn_span v[2], p[4], key, value = {0};

	if (sn_json_object(answer.data, answer.len, KEYS, v, 2) < 0)
		return; /* was checked */
	while (sn_json_member(v[1], &key, &value)) {
		struct sn_remote_part part;

		if (sn_json_object(value.data, value.len, PART, p, 4) < 0)
			continue; /* JSON, but no object */
		part = (struct sn_remote_part){.workitems = p[0],
					       .lines = p[1],
					       .code = (int)sn_json_number(p[2], -1),
					       .error = p[3]};
		make_name(v[0], key, part.name);
		each(arg, &part);
	}
}
