/* Names of signals, for messages. */
#ifndef SN_SIGNAME_H
#define SN_SIGNAME_H

#include "base/base.h"

/* "SIGSEGV"; "another signal" for one that does not end processes as a rule. */
const char *sn_signal_name(int sig);
/* "exited with code 3", or "killed by signal 11 (SIGSEGV), core dumped": of what waitid(2) found. code, status: si_code
 * and si_status. */
void sn_describe_end(int code, int status, char *text, size_t size);

#endif
