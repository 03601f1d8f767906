#include "link.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "sys/dir.h"
#include "sys/fd.h"

#include <fcntl.h>

static char *below(const char *etc, const char *path)
{
	if (path[0] == '\0' || path[0] == '/')
		return sn_strdup(path);
	return sn_asprintf("%s/%s", etc, path);
}

static void wipe(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

/* The first line of the password file, or what the configuration says. */
static int read_password(const struct link_settings *s, char **ret, char why[LINK_WHY_SIZE])
{
	struct sn_buf b = SN_BUF(4096);
	SN_AUTOFD int fd = -1;
	int r;

	if (s->password_file[0] == '\0') {
		*ret = sn_strdup(s->password);
		return 0;
	}
	fd = open(s->password_file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	r = fd < 0 ? -errno : sn_fd_read_all(fd, &b);
	if (r < 0)
		(void)snprintf(why, LINK_WHY_SIZE, "cannot read the password file %s: %s", s->password_file,
			       strerror(-r));
	else
		*ret = sn_strndup(b.len > 0 ? b.data : "", b.len > 0 ? strcspn(b.data, "\r\n") : 0);
	if (b.data != NULL)
		explicit_bzero(b.data, b.len);
	sn_buf_release(&b);
	return r;
}

int link_settings_init(struct link_settings *s, const struct sn_config *c, const char *etc,
		       char why[LINK_WHY_SIZE])
{
	char *password = NULL;
	int r;

	*s = (struct link_settings){
		.hosts = sn_strdup(c->boss.host),
		.vhost = sn_strdup(c->boss.vhost),
		.user = sn_strdup(c->boss.user),
		.password = sn_strdup(c->boss.password),
		.password_file = below(etc, c->boss.password_file),
		.ca = below(etc, c->boss.ca),
		.cert = below(etc, c->boss.cert),
		.key = below(etc, c->boss.key),
		.tls = c->boss.tls,
		.verify = c->boss.tls_verify,
		.heartbeat_s = (int)c->boss.heartbeat_s,
	};
	r = read_password(s, &password, why);
	if (r < 0)
		link_settings_release(s);
	wipe(password);
	return r;
}

void link_settings_release(struct link_settings *s)
{
	wipe(s->password);
	free(s->password_file);
	free(s->hosts);
	free(s->vhost);
	free(s->user);
	free(s->ca);
	free(s->cert);
	free(s->key);
	*s = (struct link_settings){0};
}

/* The n-th (modulo their number) of "host[:port], [v6]:port, …". */
static int pick_host(const struct link_settings *s, unsigned n, char host[256], int *ret_port)
{
	SN_AUTOFREE char *copy = sn_strdup(s->hosts);
	char *save = NULL, *one, *colon;
	unsigned count = 0;

	for (one = strtok_r(copy, ", \t", &save); one != NULL; one = strtok_r(NULL, ", \t", &save))
		count++;
	if (count == 0)
		return -EINVAL;
	(void)memcpy(copy, s->hosts, strlen(s->hosts) + 1);
	one = strtok_r(copy, ", \t", &save);
	for (n %= count; n > 0; n--)
		one = strtok_r(NULL, ", \t", &save);
	*ret_port = s->tls ? 5671 : 5672;
	colon = strrchr(one, ':');
	if (colon != NULL && (strchr(one, ':') == colon || colon[-1] == ']')) {
		*ret_port = atoi(colon + 1);
		*colon = '\0';
	}
	if (one[0] == '[') { /* [::1] */
		one++;
		one[strcspn(one, "]")] = '\0';
	}
	(void)snprintf(host, 256, "%s", one);
	return *ret_port > 0 && *ret_port < 65536 && host[0] != '\0' ? 0 : -EINVAL;
}

static amqp_socket_t *make_socket(amqp_connection_state_t conn, const struct link_settings *s,
				  struct link_try *t)
{
	amqp_socket_t *sock;
	int r = 0;

	if (!s->tls)
		return amqp_tcp_socket_new(conn);
	sock = amqp_ssl_socket_new(conn);
	if (sock == NULL)
		return NULL;
	amqp_ssl_socket_set_verify_peer(sock, s->verify);
	amqp_ssl_socket_set_verify_hostname(sock, s->verify);
	(void)amqp_ssl_socket_set_ssl_versions(sock, AMQP_TLSv1_2,
					       AMQP_TLSvLATEST); /* else its own default */
	if (s->ca[0] != '\0')
		r = amqp_ssl_socket_set_cacert(sock, s->ca);
	else if (SSL_CTX_set_default_verify_paths(amqp_ssl_socket_get_context(sock)) != 1)
		r = AMQP_STATUS_SSL_ERROR;
	if (r != AMQP_STATUS_OK) {
		(void)snprintf(t->why, sizeof t->why, "cannot use the CA file %s", s->ca);
		return NULL;
	}
	if (s->cert[0] != '\0')
		r = amqp_ssl_socket_set_key(sock, s->cert, s->key[0] != '\0' ? s->key : s->cert);
	if (r != AMQP_STATUS_OK) {
		(void)snprintf(t->why, sizeof t->why, "cannot use the client certificate %s", s->cert);
		return NULL;
	}
	return sock;
}

static amqp_rpc_reply_t login(amqp_connection_state_t conn, const struct link_settings *s,
			      const struct link_try *t, const char *password)
{
	amqp_table_entry_t wants[] = {
		{.key = amqp_cstring_bytes("connection.blocked"),
		 .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value = {.boolean = 1}}},
		{.key = amqp_cstring_bytes("consumer_cancel_notify"),
		 .value = {.kind = AMQP_FIELD_KIND_BOOLEAN, .value = {.boolean = 1}}},
	};
	amqp_table_entry_t props[] = {
		{.key = amqp_cstring_bytes("capabilities"),
		 .value = {.kind = AMQP_FIELD_KIND_TABLE,
			   .value = {.table = {.num_entries = 2, .entries = wants}}}},
		{.key = amqp_cstring_bytes("product"),
		 .value = {.kind = AMQP_FIELD_KIND_UTF8,
			   .value = {.bytes = amqp_cstring_bytes("SkyNET amqp-spool")}}},
		{.key = amqp_cstring_bytes("connection_name"),
		 .value = {.kind = AMQP_FIELD_KIND_UTF8, .value = {.bytes = amqp_cstring_bytes(t->purpose)}}},
	};
	const amqp_table_t table = {.num_entries = 3, .entries = props};

	return amqp_login_with_properties(conn, s->vhost, 0, LINK_FRAME_MAX, s->heartbeat_s, &table,
					  AMQP_SASL_METHOD_PLAIN, s->user, password);
}

void link_reason(const amqp_method_t *m, char why[LINK_WHY_SIZE])
{
	if (m->id == AMQP_CONNECTION_CLOSE_METHOD) {
		const amqp_connection_close_t *c = m->decoded;

		(void)snprintf(why, LINK_WHY_SIZE, "the broker closed the connection: %.*s",
			       (int)c->reply_text.len, (const char *)c->reply_text.bytes);
	} else if (m->id == AMQP_CHANNEL_CLOSE_METHOD) {
		const amqp_channel_close_t *c = m->decoded;

		(void)snprintf(why, LINK_WHY_SIZE, "%.*s", (int)c->reply_text.len,
			       (const char *)c->reply_text.bytes);
	} else {
		(void)snprintf(why, LINK_WHY_SIZE, "unexpected %s", amqp_method_name(m->id));
	}
}

static void reply_reason(amqp_rpc_reply_t r, char why[LINK_WHY_SIZE])
{
	if (r.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION)
		link_reason(&r.reply, why);
	else
		(void)snprintf(why, LINK_WHY_SIZE, "%s",
			       r.library_error != 0 ? amqp_error_string2(r.library_error)
						    : "the broker closed the connection");
}

bool link_fine(amqp_connection_state_t conn, char why[LINK_WHY_SIZE])
{
	const amqp_rpc_reply_t r = amqp_get_rpc_reply(conn);

	if (r.reply_type != AMQP_RESPONSE_NORMAL)
		reply_reason(r, why);
	return r.reply_type == AMQP_RESPONSE_NORMAL;
}

/* The kernel gives up on a peer that is gone; librabbitmq itself would wait without a limit. */
static void set_socket_options(int fd)
{
	const int on = 1;
	const unsigned user_timeout_ms = 30000;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* only speed depends on it */
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on); /* heartbeats see to it as well */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
}

/* librabbitmq says "a socket error occurred" whatever it was: the kernel says more, to one who tries once more. */
static void explain_connect(const char *host, int port, char why[LINK_WHY_SIZE])
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	char service[16];
	int r;

	(void)snprintf(service, sizeof service, "%d", port);
	r = getaddrinfo(host, service, &hints, &list);
	if (r != 0)
		(void)snprintf(why, LINK_WHY_SIZE, "%s", gai_strerror(r));
	for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next) {
		SN_AUTOFD int fd =
			socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, ai->ai_protocol);
		struct pollfd p = {.fd = fd, .events = POLLOUT};
		int error = fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen) == 0 ? 0 : errno;
		socklen_t len = sizeof error;

		if (error == EINPROGRESS && poll(&p, 1, 1000) == 1 &&
		    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
			error = errno;
		if (error != 0) /* else it is there now: the next attempt will show */
			(void)snprintf(why, LINK_WHY_SIZE, "%s",
				       error == ECONNREFUSED ? "connection refused" : strerror(error));
	}
	if (list != NULL)
		freeaddrinfo(list);
}

amqp_connection_state_t link_open(const struct link_settings *s, struct link_try *t)
{
	const struct timeval timeout = {.tv_sec = LINK_CONNECT_S};
	amqp_connection_state_t conn = amqp_new_connection();
	struct timeval connect_timeout = timeout;
	amqp_socket_t *sock;
	amqp_rpc_reply_t reply;
	char host[256], *password = NULL;
	int port, r;

	t->why[0] = '\0';
	if (conn == NULL || pick_host(s, t->attempt, host, &port) < 0) {
		(void)snprintf(t->why, sizeof t->why, "bad amqp_host '%s'", s->hosts);
		goto fail;
	}
	(void)snprintf(t->where, sizeof t->where, "%s:%d", host, port);
	sock = make_socket(conn, s, t);
	if (sock == NULL || read_password(s, &password, t->why) < 0)
		goto fail;
	(void)amqp_set_handshake_timeout(conn, &timeout); /* cannot fail with a valid time */
	(void)amqp_set_rpc_timeout(conn, &timeout);
	r = amqp_socket_open_noblock(sock, host, port, &connect_timeout);
	if (r != AMQP_STATUS_OK) {
		(void)snprintf(t->why, sizeof t->why, "%s", amqp_error_string2(r));
		if (r == AMQP_STATUS_SOCKET_ERROR)
			explain_connect(host, port, t->why);
		goto fail;
	}
	reply = login(conn, s, t, password);
	if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
		reply_reason(reply, t->why);
		goto fail;
	}
	set_socket_options(amqp_get_sockfd(conn));
	wipe(password);
	return conn;
fail:
	wipe(password);
	if (conn != NULL)
		(void)amqp_destroy_connection(conn); /* nothing was open yet */
	return NULL;
}

void link_close(amqp_connection_state_t conn, bool polite)
{
	const struct timeval moment = {.tv_usec = 500000};

	if (conn == NULL)
		return;
	if (polite) {
		(void)amqp_set_rpc_timeout(conn, &moment);
		(void)amqp_connection_close(conn,
					    AMQP_REPLY_SUCCESS); /* the broker sees the end in any case */
	}
	(void)amqp_destroy_connection(conn);
}

double link_backoff_s(unsigned n)
{
	double delay = 0.5;
	unsigned char noise = 0;

	for (; n > 1 && delay < 30; n--)
		delay *= 2;
	if (delay > 30)
		delay = 30;
	if (getrandom(&noise, 1, GRND_NONBLOCK) < 0)
		noise = 128;
	return delay * (1.0 - noise / 512.0);
}
