#include "sys/signame.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

const char *sn_signal_name(int sig)
{
	static const struct {
		int sig;
		const char *name;
	} NAMES[] = {{SIGSEGV, "SIGSEGV"}, {SIGABRT, "SIGABRT"}, {SIGKILL, "SIGKILL"}, {SIGTERM, "SIGTERM"},
		     {SIGBUS, "SIGBUS"},   {SIGFPE, "SIGFPE"},	 {SIGILL, "SIGILL"},   {SIGINT, "SIGINT"},
		     {SIGHUP, "SIGHUP"},   {SIGPIPE, "SIGPIPE"}, {SIGALRM, "SIGALRM"}, {SIGUSR1, "SIGUSR1"},
		     {SIGUSR2, "SIGUSR2"}, {SIGXCPU, "SIGXCPU"}, {SIGSYS, "SIGSYS"},   {SIGQUIT, "SIGQUIT"}};

	for (size_t i = 0; i < SN_COUNT(NAMES); i++) {
		if (NAMES[i].sig == sig)
			return NAMES[i].name;
	}
	return "another signal";
}

void sn_describe_end(int code, int status, char *text, size_t size)
{
	if (code == CLD_EXITED)
		(void)snprintf(text, size, "exited with code %d", status);
	else
		(void)snprintf(text, size, "killed by signal %d (%s)%s", status, sn_signal_name(status),
			       code == CLD_DUMPED ? ", core dumped" : "");
}
