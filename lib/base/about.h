/* --help and --version of the daemons, which take hardly an option else (commands: svc/command.h).
 *
 *	if (sn_about(argc, argv, "exo", HELP))
 *		return 0; */
#ifndef SN_ABOUT_H
#define SN_ABOUT_H

#include "base/base.h"

/* If the first argument is --help, -h, --version or -V: prints what it asks for ("usage: PROGRAM " before `help`); true. */
bool sn_about(int argc, char *const *argv, const char *program, const char *help) SN_CHECK;

#endif
