/* Launch items (a process definition for the engine, with fields and variables), and handing them to the broker. For
 * `skynet launch`, `register` and `unregister`. */
#ifndef SN_LAUNCH_H
#define SN_LAUNCH_H

#include "svc/cli.h"

/* Makes a launch item of `text`: an object is one already and must have a `definition`; an array is a definition as a JSON
 * tree; anything else is its text. `fields` and `variables` are added where they are missing. 0 and the item appended
 * to `out`; -EBADMSG: *ret_why says what is wrong; -E2BIG. */
int sn_launch_item(const char *text, size_t len, struct sn_buf *out, const char **ret_why) SN_CHECK;
/* Sets a member of `fields` or `variables` (`part`): "a.b.c=V", V taken as JSON where it is, else as text. Replaces *item.
 * 0; -EINVAL: no KEY=VALUE; -EILSEQ: bad UTF-8; -E2BIG. */
int sn_launch_set(struct sn_buf *item, const char *part, const char *assignment) SN_CHECK;
/* Has amqp-call publish it to the engine's queue, and waits. Its exit code; what is wrong it has said on stderr. */
int sn_launch_publish(const struct sn_cli *cli, const struct sn_buf *item) SN_CHECK;

#endif
