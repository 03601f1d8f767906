#include "amqp-call.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sys/fd.h"

enum { OPT_AS = SN_OPT_FIRST, OPT_WAIT, OPT_KILL, HOSTS_MAX = 64, GIVE_UP_S = 60 };

static const struct sn_option OPTIONS[] = {
	{OPT_AS, "as", "NAME", "the command that messages are in the name of"},
	{'t', "timeout", "S", "air: gather answers for S seconds (default 2)"},
	{OPT_WAIT, "wait", "MS", "air: how long exo waits for handlers (default 1000)"},
	{OPT_KILL, "kill", "S", "air, cancel: kill what has not ended S seconds later"},
	{0},
};
static const struct sn_command COMMAND = {
	"amqp-call",
	"[--as NAME] publish\n"
	"       amqp-call [--as NAME] [--timeout S] [--wait MS] [--kill S] air SERVICE status|cancel",
	"Talks to the broker for commands.\n\n"
	"air asks all hosts on which SERVICE, a WFID or PARTICIPANT.WFID, is open; each answer is a line of JSON.\n"
	"publish hands standard input, a JSON object, to the engine's queue: persistent, mandatory, confirmed.\n\n"
	"Exit code: 0 the broker has it, a host answered; 4 no host has it open; 65 it is no object; 69 no broker, or not reached; 75 the\n"
	"queue does not exist, nobody answered; 77 the credentials cannot be read; 124 no confirm came.",
	OPTIONS};

/* librabbitmq waits without a limit while the broker stops reading (a memory alarm there). */
static void give_up(int signal)
{
	static const char TEXT[] = "the broker does not take it\n";

	(void)signal;
	(void)!write(STDERR_FILENO, TEXT, sizeof TEXT - 1); /* nothing is left to say it with */
	_exit(SN_EXIT_TIMEOUT);
}

/* The files of the configuration hold the credentials: who may not read them all would talk to the wrong broker, or none. */
static void check_readable(const struct call *c)
{
	char **files = sn_home_config_files(&c->cli.home, NULL);

	for (char **f = files; *f != NULL; f++) {
		if (faccessat(AT_FDCWD, *f, R_OK, AT_EACCESS) < 0 && errno == EACCES)
			sn_cli_die(&c->cli, SN_EXIT_PERMISSION,
				   "cannot read %s: the credentials are for root and skynet", *f);
	}
	sn_home_files_free(files);
}

static void load(struct call *c)
{
	struct sn_config_reader rd = {.complain = sn_command_complain};

	check_readable(c);
	if (sn_home_config(&c->cli.home, NULL, &rd, &c->config) < 0)
		sn_cli_die(&c->cli, SN_EXIT_CONFIG, "the configuration is wrong (skynet config --check)");
	if (c->config.boss.host[0] == '\0' || strcmp(c->config.boss.host, "none") == 0)
		sn_cli_die(&c->cli, SN_EXIT_UNAVAILABLE, "this home has no broker ([boss] amqp_host = none)");
}

/* Each of the hosts once. */
static void connect_any(struct call *c)
{
	struct link_settings s;
	struct link_try t = {.purpose = "skynet command"};
	unsigned hosts = 1;
	int r = link_settings_init(&s, &c->config, c->cli.home.etc, t.why);

	if (r < 0)
		sn_cli_die(&c->cli, r == -EACCES ? SN_EXIT_PERMISSION : SN_EXIT_CONFIG, "%s", t.why);
	for (const char *p = s.hosts; *p != '\0' && hosts < HOSTS_MAX; p++)
		hosts += *p == ',';
	for (; t.attempt < hosts && c->conn == NULL; t.attempt++) {
		c->conn = link_open(&s, &t);
		if (c->conn == NULL)
			fprintf(stderr, "%s: %s: %s\n", c->cli.command->name, t.where, t.why);
	}
	link_settings_release(&s);
	if (c->conn == NULL)
		sn_cli_die(&c->cli, SN_EXIT_UNAVAILABLE, "no broker is reached");
	(void)snprintf(c->where, sizeof c->where, "%s", t.where); /* as large */
}

void call_must(const struct call *c, const char *what)
{
	char why[LINK_WHY_SIZE];

	if (!link_fine(c->conn, why))
		sn_cli_die(&c->cli, SN_EXIT_UNAVAILABLE, "%s: %s: %s", c->where, what, why);
}

void call_open(struct call *c)
{
	const struct sigaction alarmed = {.sa_handler = give_up};

	load(c);
	if (sigaction(SIGALRM, &alarmed, NULL) == 0)
		(void)alarm(GIVE_UP_S); /* no former one */
	connect_any(c);
	(void)amqp_channel_open(c->conn, CALL_CHANNEL); /* call_must() has the answer */
	call_must(c, "cannot open a channel");
	(void)amqp_confirm_select(c->conn, CALL_CHANNEL);
	call_must(c, "no publisher confirms");
}

void call_close(struct call *c)
{
	link_close(c->conn, true);
	c->conn = NULL;
	sn_config_release(&c->config);
}

void call_publish(struct call *c, const struct call_message *m)
{
	amqp_basic_properties_t props = {._flags = AMQP_BASIC_CONTENT_TYPE_FLAG |
						   AMQP_BASIC_DELIVERY_MODE_FLAG,
					 .content_type = amqp_cstring_bytes("text/plain"),
					 .delivery_mode = AMQP_DELIVERY_PERSISTENT};
	int r;

	if (m->reply_to != NULL) {
		props._flags |= AMQP_BASIC_REPLY_TO_FLAG;
		props.reply_to = amqp_cstring_bytes(m->reply_to);
	}
	if (m->message_id != NULL) {
		props._flags |= AMQP_BASIC_MESSAGE_ID_FLAG;
		props.message_id = amqp_cstring_bytes(m->message_id);
	}
	r = amqp_basic_publish(c->conn, CALL_CHANNEL, amqp_cstring_bytes(m->exchange),
			       amqp_cstring_bytes(m->routing_key), 1, 0, &props, m->body);
	if (r != AMQP_STATUS_OK)
		sn_cli_die(&c->cli, SN_EXIT_UNAVAILABLE, "%s: cannot publish: %s", c->where,
			   amqp_error_string2(r));
}

/* The body behind a return or a delivery. */
static bool read_body(struct call *c, struct sn_buf *to)
{
	amqp_message_t m;
	amqp_rpc_reply_t r = amqp_read_message(c->conn, CALL_CHANNEL, &m, 0);

	if (r.reply_type != AMQP_RESPONSE_NORMAL)
		return false;
	if (to != NULL && sn_buf_add(to, m.body.bytes, m.body.len) < 0)
		sn_buf_reset(to); /* more than anybody would send */
	amqp_destroy_message(&m);
	return true;
}

static enum call_heard closed(struct call *c, const amqp_method_t *m)
{
	char why[LINK_WHY_SIZE] = "the connection is lost";

	if (m != NULL)
		link_reason(m, why);
	sn_cli_failed(&c->cli, SN_EXIT_UNAVAILABLE, "%s: %s", c->where, why);
	return CALL_CLOSED;
}

enum call_heard call_hear(struct call *c, int64_t until_ns, struct sn_buf *delivery)
{
	for (;;) {
		int64_t left = until_ns - sn_clock_mono_ns();
		const struct timeval timeout = {.tv_sec = left > 0 ? left / 1000000000 : 0,
						.tv_usec = left > 0 ? left % 1000000000 / 1000 : 0};
		amqp_frame_t frame;
		int r;

		amqp_maybe_release_buffers(c->conn);
		r = amqp_simple_wait_frame_noblock(c->conn, &frame, &timeout);
		if (r == AMQP_STATUS_TIMEOUT)
			return CALL_TIMEOUT;
		if (r != AMQP_STATUS_OK)
			return closed(c, NULL);
		if (frame.frame_type != AMQP_FRAME_METHOD)
			continue;
		switch (frame.payload.method.id) {
		case AMQP_BASIC_ACK_METHOD:
			return CALL_ACKED;
		case AMQP_BASIC_NACK_METHOD:
			return CALL_TIMEOUT; /* not taken: as if it had never answered */
		case AMQP_BASIC_RETURN_METHOD:
			return read_body(c, NULL) ? CALL_RETURNED : closed(c, NULL);
		case AMQP_BASIC_DELIVER_METHOD:
			return read_body(c, delivery) ? CALL_DELIVERED : closed(c, NULL);
		case AMQP_CHANNEL_CLOSE_METHOD:
		case AMQP_CONNECTION_CLOSE_METHOD:
			return closed(c, &frame.payload.method);
		default:
			break; /* connection.blocked, basic.cancel */
		}
	}
}

/* The exit code. */
static int publish(struct call *c)
{
	struct sn_buf body = SN_BUF(SN_CLI_BODY_MAX);
	int r = sn_fd_read_all(STDIN_FILENO, &body);
	struct call_message m = {.exchange = "", .routing_key = c->config.boss.engine_queue};

	if (r < 0 || sn_json_object(body.data, body.len, NULL, NULL, 0) < 0)
		sn_cli_die(&c->cli, SN_EXIT_BAD_ITEM, "no JSON object on standard input");
	m.body = (amqp_bytes_t){.len = body.len, .bytes = body.data};
	call_publish(c, &m);
	switch (call_hear(c, sn_clock_mono_ns() + CALL_CONFIRM_S * 1000000000LL, NULL)) {
	case CALL_ACKED:
		r = 0;
		break;
	case CALL_RETURNED:
		r = SN_EXIT_TRY_AGAIN;
		sn_cli_failed(&c->cli, r, "%s has no queue %s: is the engine there?", c->where,
			      m.routing_key);
		break;
	default:
		r = SN_EXIT_TIMEOUT;
		sn_cli_failed(&c->cli, r, "%s did not confirm: the engine may get it or not", c->where);
	}
	sn_buf_release(&body);
	return r;
}

static long number(const struct sn_cli *cli, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end != '\0' || n < 0 || n > 3600000)
		sn_cli_usage(cli, "%s: no number", text);
	return n;
}

static void set_option(struct call *c, struct sn_command *command, struct call_air *a, int opt)
{
	if (opt == OPT_AS)
		command->name = optarg;
	else if (opt == OPT_WAIT)
		a->wait_ms = number(&c->cli, optarg);
	else if (opt == OPT_KILL)
		a->kill_s = number(&c->cli, optarg);
	else if (sn_command_duration(optarg, &a->timeout_ns) < 0)
		sn_cli_usage(&c->cli, "--timeout %s: no number of seconds", optarg);
}

int main(int argc, char **argv)
{
	struct sn_command command = COMMAND;
	struct call c = {.cli = {.command = &command}};
	struct call_air air = {.timeout_ns = 2000000000, .wait_ms = 1000};
	int opt, code;

	while ((opt = sn_cli_next(&c.cli, argc, argv)) != -1)
		set_option(&c, &command, &air, opt);
	argv += optind;
	if (argc - optind == 3 && strcmp(argv[0], "air") == 0) {
		air.service = argv[1];
		air.what = argv[2];
	}
	if (air.what == NULL ? argc - optind != 1 || strcmp(argv[0], "publish") != 0
			     : strcmp(air.what, "status") != 0 && strcmp(air.what, "cancel") != 0)
		sn_cli_usage(&c.cli, "publish, or air SERVICE status|cancel");
	sn_cli_home(&c.cli);
	call_open(&c);
	(void)alarm(GIVE_UP_S + (unsigned)(air.timeout_ns / 1000000000)); /* the former one is ours */
	code = air.what == NULL ? publish(&c) : call_air(&c, &air);
	call_close(&c);
	sn_home_release(&c.cli.home);
	return code != 0 ? code : sn_command_flush(&command);
}
