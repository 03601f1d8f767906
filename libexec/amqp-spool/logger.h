/* Log lines of the bridge. svlogd reads nothing while its disk is full, and the pipe to it holds 64 KiB: the bridge waits
 * LOGGER_PATIENCE_MS for it once, and then drops lines, and counts them, until there is room. */
#ifndef LOGGER_H
#define LOGGER_H

enum { LOGGER_PATIENCE_MS = 1000 };

/* From now on, of all threads. */
void logger_start(void);

#endif
