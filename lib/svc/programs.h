/* Where our programs are, and which of them runs what. */
#ifndef SN_PROGRAMS_H
#define SN_PROGRAMS_H

#include "base/base.h"

/* The directory of the program that runs; the caller's. Never NULL: "." where /proc is missing. */
char *sn_programs_dir(void) SN_CHECK;
/* The worker for this kind of code ([participant] code): exo-python, exo-so, exo-exec (docs/WORKER.md). */
const char *sn_programs_worker(const char *code) SN_CHECK;

#endif
