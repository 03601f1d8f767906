/* HUP: the configuration is read again. */
#include "air.h"
#include "bridge.h"
#include "consumer.h"
#include "publisher.h"
#include "svc/secret.h"

static bool same_broker(const struct sn_config *x, const struct sn_config *y)
{
	return strcmp(x->boss.host, y->boss.host) == 0 && strcmp(x->boss.vhost, y->boss.vhost) == 0 &&
	       strcmp(x->boss.user, y->boss.user) == 0 && strcmp(x->boss.password, y->boss.password) == 0 &&
	       strcmp(x->boss.password_file, y->boss.password_file) == 0 &&
	       strcmp(x->boss.ca, y->boss.ca) == 0 && strcmp(x->boss.cert, y->boss.cert) == 0 &&
	       strcmp(x->boss.key, y->boss.key) == 0 && x->boss.tls == y->boss.tls &&
	       x->boss.tls_verify == y->boss.tls_verify && x->boss.heartbeat_s == y->boss.heartbeat_s;
}

void bridge_check_secret(struct bridge *b)
{
	int r = sn_secret_check(&b->home, &b->config, b->warning);

	if (r < 0)
		sn_err("%s", b->warning);
	else if (r > 0)
		sn_warn("%s", b->warning);
	status_touch(b);
}

void bridge_reload(struct ev_loop *loop, ev_signal *w, int events)
{
	struct bridge *b = w->data;
	struct sn_config_reader rd = {0};
	struct sn_config config;
	int r = sn_home_config(&b->home, NULL, &rd, &config);
	bool anew;

	(void)loop;
	(void)events;
	if (r < 0) {
		sn_err("HUP: bad configuration, the former one stays");
		sn_config_release(&config);
		return;
	}
	anew = !same_broker(&b->config, &config);
	if ((b->consumer == NULL) != (strcmp(config.boss.host, "none") == 0)) {
		sn_info("HUP: the broker was %s: starting again", b->consumer == NULL ? "added" : "removed");
		sn_config_release(&config);
		bridge_stop(b, SN_EXIT_OK); /* runsv starts us again at once */
		return;
	}
	sn_config_release(&b->config);
	b->config = config;
	sn_log_set_level(config.skynet.log_level);
	bridge_check_secret(b);
	r = participants_load(b);
	sn_info("HUP: configuration read%s", r < 0 ? ", with errors" : "");
	if (anew && b->consumer != NULL) {
		consumer_reconnect(b->consumer, "the configuration changed");
		publisher_reconnect(b->publisher);
	}
	/* Somebody may have just brought the broker back: no back-off is waited for. */
	if (b->consumer != NULL) {
		consumer_hurry(b->consumer);
		publisher_hurry(b->publisher);
	}
	air_reload(b->air, anew);
}
