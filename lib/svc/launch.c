#include "svc/launch.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "data/json_edit.h"
#include "sys/fd.h"

static bool is_utf8(const char *s, size_t len)
{
	while (len > 0) {
		size_t n = sn_utf8_sequence(s, len);

		if (n == 0 || *s == '\0')
			return false;
		s += n;
		len -= n;
	}
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* A byte order mark is neither JSON nor Ruby. */
static struct sn_span skip_mark(const char *text, size_t len)
{
	size_t mark = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	return (struct sn_span){.data = text + mark, .len = len - mark};
}

static struct sn_span trim(const char *text, size_t len)
{
	while (len > 0 && is_blank(*text)) {
		text++;
		len--;
	}
	while (len > 0 && is_blank(text[len - 1]))
		len--;
	return (struct sn_span){.data = text, .len = len};
}

static bool is_object(struct sn_span v)
{
	return v.data != NULL && v.data[0] == '{';
}

static const char *check_item(struct sn_span text, struct sn_span *v)
{
	static const char *const KEYS[] = {"definition", "fields", "variables", "fei"};

	if (sn_json_object(text.data, text.len, KEYS, v, 4) < 0)
		return "not JSON, though it begins with {";
	if (v[3].data != NULL) /* the engine would take it for the reply to a workitem */
		return "it has a fei: a workitem, not a launch item";
	if (v[0].data == NULL || sn_json_is(v[0], "null") || sn_json_is(v[0], "\"\"") ||
	    sn_json_is(v[0], "[]"))
		return "no definition in it";
	if (v[0].data[0] != '"' && v[0].data[0] != '[')
		return "its definition is neither text nor a tree";
	if ((v[1].data != NULL && !is_object(v[1])) || (v[2].data != NULL && !is_object(v[2])))
		return "its fields or variables are no object";
	return NULL;
}

static int add_missing(struct sn_span item, const struct sn_span *v, struct sn_buf *out)
{
	const struct sn_span empty = {.data = "{}", .len = 2};
	const char *path = "fields";
	struct sn_buf b = SN_BUF(out->max_bytes);
	int r = 0;

	if (v[1].data == NULL) {
		r = sn_json_set(item, &path, 1, empty, &b);
		item = (struct sn_span){.data = b.data, .len = b.len};
	}
	path = "variables";
	if (r == 0)
		r = v[2].data == NULL ? sn_json_set(item, &path, 1, empty, out)
				      : sn_buf_add(out, item.data, item.len);
	sn_buf_release(&b);
	return r;
}

int sn_launch_item(const char *text, size_t len, struct sn_buf *out, const char **ret_why)
{
	struct sn_span all = skip_mark(text, len), t = trim(all.data, all.len), v[4] = {0};
	int r;

	if (t.len == 0 || !is_utf8(t.data, t.len)) {
		*ret_why = t.len == 0 ? "no definition: it is empty" : "no UTF-8 text";
		return -EBADMSG;
	}
	if (t.data[0] == '{') {
		*ret_why = check_item(t, v);
		return *ret_why != NULL ? -EBADMSG : add_missing(t, v, out);
	}
	if (t.data[0] == '[' && (t.len == 2 || sn_json_object(t.data, t.len, NULL, NULL, 0) != -ENOTSUP)) {
		*ret_why = "begins with [ and is no tree in JSON";
		return -EBADMSG;
	}
	r = sn_buf_adds(out, "{\"definition\":");
	if (r == 0)
		r = t.data[0] == '[' ? sn_buf_add(out, t.data, t.len)
				     : sn_buf_add_json(out, all.data,
						       all.len); /* blanks mean something in radial text */
	return r == 0 ? sn_buf_adds(out, ",\"fields\":{},\"variables\":{}}") : r;
}

/* V of K=V: JSON if it is, else a string. */
static int read_value(const char *text, struct sn_buf *out)
{
	int r = sn_json_object(text, strlen(text), NULL, NULL, 0);

	return r == 0 || r == -ENOTSUP ? sn_buf_adds(out, text) : sn_buf_add_json(out, text, strlen(text));
}

int sn_launch_set(struct sn_buf *item, const char *part, const char *assignment)
{
	SN_AUTOFREE char *copy = sn_strdup(assignment);
	struct sn_buf value = SN_BUF(item->max_bytes), out = SN_BUF(item->max_bytes);
	const char *path[SN_JSON_PATH_MAX + 1] = {part};
	char *text = strchr(copy, '='), *rest = copy, *one;
	size_t depth = 1;
	int r = 0;

	if (text == NULL || text == copy)
		return -EINVAL;
	if (!is_utf8(copy, strlen(copy)))
		return -EILSEQ;
	*text++ = '\0';
	while (r == 0 && (one = strsep(&rest, ".")) != NULL) {
		if (*one == '\0' || depth > SN_JSON_PATH_MAX)
			r = -EINVAL;
		else
			path[depth++] = one;
	}
	if (r == 0)
		r = read_value(text, &value);
	if (r == 0)
		r = sn_json_set((struct sn_span){.data = item->data, .len = item->len}, path, depth,
				(struct sn_span){.data = value.data, .len = value.len}, &out);
	sn_buf_release(&value);
	if (r < 0) {
		sn_buf_release(&out);
		return r;
	}
	sn_buf_release(item);
	*item = out;
	return 0;
}

static void become_amqp_call(const struct sn_cli *cli, int in)
{
	SN_AUTOFREE char *path = sn_cli_sibling("amqp-call");

	if (dup2(in, STDIN_FILENO) == STDIN_FILENO)
		execl(path, "amqp-call", "--home", cli->home.root, "--as", cli->command->name, "publish",
		      (char *)NULL);
	fprintf(stderr, "%s: cannot run %s: %s\n", cli->command->name, path, strerror(errno));
	_exit(SN_EXIT_FAILED);
}

int sn_launch_publish(const struct sn_cli *cli, const struct sn_buf *item)
{
	SN_AUTOFD int in = memfd_create("launch", MFD_CLOEXEC);
	int status = 0;
	pid_t pid;

	if (in < 0 || sn_fd_write_all(in, item->data, item->len) < 0 || lseek(in, 0, SEEK_SET) < 0)
		sn_cli_die(cli, SN_EXIT_TRY_AGAIN, "no room for the item: %s", strerror(errno));
	(void)fflush(stdout); /* the child must not print it again */
	pid = fork();
	if (pid == 0)
		become_amqp_call(cli, in);
	if (pid < 0)
		sn_cli_die(cli, SN_EXIT_TRY_AGAIN, "cannot fork: %s", strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) ? WEXITSTATUS(status) : SN_EXIT_FAILED;
}
