#include "svc/enquiry.h"

#include <stdlib.h>

#include "base/mem.h"
#include "svc/service.h"

static void open_shelves(struct sn_enquiry *e)
{
	e->shelves = sn_calloc(e->count + 1, sizeof *e->shelves);
	for (size_t i = 0; i < e->count; i++) {
		/* Who may not look into a spool may still ask the participant. */
		if (sn_shelf_open(&e->cli->home, e->asked[i].name, &e->shelves[e->shelf_count]) == 0)
			e->shelf_count++;
	}
}

/* Is `text` the beginning of names (and no WFID)? Then of one only. */
static void settle_key(struct sn_enquiry *e, const char *text)
{
	size_t len = strlen(text), names = 0;

	e->key = text;
	for (size_t i = 0; i < e->items.count; i++) {
		if (strncmp(e->items.list[i].name, text, len) != 0)
			continue;
		(void)snprintf(e->name, sizeof e->name, "%s", e->items.list[i].name); /* it fits */
		names++;
	}
	if (names == 1)
		e->key = e->name;
	else if (names > 1)
		sn_cli_die(
			e->cli, SN_EXIT_BAD_ITEM,
			"%s: begins the names of %zu workitems, say more of it (skynet show %s lists them)",
			text, names, text);
}

static void find_items(struct sn_enquiry *e, const char *text)
{
	for (size_t i = 0; i < e->shelf_count; i++) {
		int r = sn_items_find(&e->shelves[i], text, &e->items);

		if (r < 0)
			fprintf(stderr, "%s: cannot list the spool of %s: %s\n", e->cli->command->name,
				e->shelves[i].participant, strerror(-r));
	}
	sn_items_sort(&e->items);
}

void sn_enquiry_init(struct sn_enquiry *e, struct sn_cli *cli, const char *text, const char *participant)
{
	char **names;

	*e = (struct sn_enquiry){.cli = cli};
	if (participant != NULL &&
	    (strcmp(participant, SN_BRIDGE_NAME) == 0 || !sn_service_exists(&cli->home, participant)))
		sn_cli_die(cli, SN_EXIT_UNKNOWN, "%s: no such participant", participant);
	if (text != NULL && !sn_control_key_valid(text))
		sn_cli_usage(cli, "'%s' is no WFID and no name of a workitem", text);
	names = sn_cli_participants(cli);
	while (names[e->count] != NULL)
		e->count++;
	e->asked = sn_calloc(e->count + 1, sizeof *e->asked);
	e->count = 0;
	for (char **n = names; *n != NULL; n++) {
		if (participant == NULL || strcmp(*n, participant) == 0)
			e->asked[e->count++].name = sn_strdup(*n);
	}
	sn_home_files_free(names);
	open_shelves(e);
	if (text == NULL)
		return;
	find_items(e, text);
	settle_key(e, text);
}

static void explain(struct sn_asked *a, int code, const char *why)
{
	a->failed = code;
	(void)snprintf(a->why, sizeof a->why, "%s", why); /* cut */
}

/* It could not even be asked. */
static void explain_open(struct sn_asked *a, int err)
{
	if (err == -EACCES)
		explain(a, SN_EXIT_PERMISSION, "not permitted");
	else if (err == -EPERM)
		explain(a, SN_EXIT_PERMISSION, "its control socket is not its own");
	else if (err != -ENOENT && err != -ECONNREFUSED)
		explain(a, SN_EXIT_FAILED, strerror(-err));
	else if (!a->running)
		explain(a, SN_EXIT_NOT_RUNNING, "it does not run");
	else
		explain(a, SN_EXIT_TRY_AGAIN, "its exo listens on no control socket (yet)");
}

static void explain_end(struct sn_asked *a)
{
	const struct sn_control *c = &a->control;

	switch (c->end) {
	case SN_CONTROL_SILENT:
		explain(a, SN_EXIT_TRY_AGAIN, "its exo does not answer: it hangs");
		break;
	case SN_CONTROL_CUT:
		explain(a, SN_EXIT_TRY_AGAIN, "its exo did not come to an end");
		break;
	case SN_CONTROL_BROKEN:
		explain(a, SN_EXIT_FAILED, c->why);
		break;
	case SN_CONTROL_ENDED:
		a->matched = c->code == 0 || c->code == SN_EXIT_TRY_AGAIN;
		if (c->code != 0 && c->code != SN_EXIT_UNKNOWN)
			explain(a, c->code, c->why);
		break;
	}
}

void sn_enquiry_ask(struct sn_enquiry *e, const char *verb, const char *options, int64_t until_ns,
		    sn_control_line *each, void *arg)
{
	SN_AUTOFREE char *request = sn_asprintf("%s%s%s%s%s", verb, e->key == NULL ? "" : " ",
						e->key == NULL ? "" : e->key, options[0] == '\0' ? "" : " ",
						options);
	struct sn_control *list = sn_calloc(e->count + 1, sizeof *list);
	int *opened = sn_calloc(e->count + 1, sizeof *opened);

	for (size_t i = 0; i < e->count; i++) {
		e->asked[i].running = sn_cli_runs(e->cli, e->asked[i].name);
		opened[i] = sn_control_open(&e->cli->home, e->asked[i].name, request, &list[i]);
		if (opened[i] < 0)
			list[i] = (struct sn_control){.fd = -1, .path = -1};
	}
	sn_control_run(list, e->count, until_ns, each, arg);
	for (size_t i = 0; i < e->count; i++) {
		struct sn_asked *a = &e->asked[i];

		a->control = list[i];
		if (opened[i] < 0)
			explain_open(a, opened[i]);
		else
			explain_end(a);
	}
	free(list);
	free(opened);
}

struct sn_asked *sn_enquiry_named(const struct sn_enquiry *e, const char *name)
{
	size_t i = 0;

	while (i + 1 < e->count && strcmp(e->asked[i].name, name) != 0)
		i++;
	return &e->asked[i];
}

size_t sn_enquiry_open_items(const struct sn_enquiry *e, const char *participant)
{
	size_t n = 0;

	for (size_t i = 0; i < e->items.count; i++) {
		const struct sn_item *it = &e->items.list[i];

		n += it->state < SN_ITEM_FAILED &&
		     (participant == NULL || strcmp(it->shelf->participant, participant) == 0);
	}
	return n;
}

bool sn_enquiry_is_name(const struct sn_cli *cli, const char *text)
{
	if (strcmp(text, SN_BRIDGE_NAME) == 0)
		sn_cli_die(cli, SN_EXIT_UNKNOWN, "the bridge is no participant (skynet status %s)", text);
	return sn_participant_valid(text) && sn_service_exists(&cli->home, text);
}

int sn_enquiry_nothing(const struct sn_enquiry *e, const char *text, bool name)
{
	int code = SN_EXIT_UNKNOWN;

	for (size_t i = 0; i < e->count; i++) {
		const struct sn_asked *a = &e->asked[i];

		if (a->failed == 0 || a->failed == SN_EXIT_NOT_RUNNING)
			continue; /* what it left unfinished is in its spool */
		sn_cli_failed(e->cli, a->failed, "%s: %s", a->name, a->why);
		code = a->failed;
	}
	if (e->items.count > 0)
		sn_cli_failed(e->cli, code, "%s: not open here; it is %s (skynet show %s)", text,
			      sn_item_state_name(e->items.list[e->items.count - 1].state), text);
	else if (code != SN_EXIT_UNKNOWN) /* who could not be asked may have it */
		sn_cli_failed(e->cli, code, "%s: not found", text);
	else if (name)
		sn_cli_failed(e->cli, code, "%s: no participant, and no such workitem is open here", text);
	else
		sn_cli_failed(e->cli, code, "%s: not open here", text);
	return code;
}

void sn_enquiry_release(struct sn_enquiry *e)
{
	for (size_t i = 0; i < e->count; i++) {
		sn_control_close(&e->asked[i].control);
		free(e->asked[i].name);
	}
	free(e->asked);
	sn_items_release(&e->items);
	for (size_t i = 0; i < e->shelf_count; i++)
		sn_shelf_release(&e->shelves[i]);
	free(e->shelves);
	*e = (struct sn_enquiry){0};
}
