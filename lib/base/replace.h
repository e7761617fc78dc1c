/* replace.h: put a whole file in the place of another one, so that readers see either. */
#ifndef REPLACE_H
#define REPLACE_H
#include <stddef.h>

/* Can path be written by file_replace()? Asked before work begins. 0 or -1 (refused). */
int file_replaceable(const char *path);

/* Write bytes [n] to a new file beside path, bring it to the disk, rename it to path.
 * A stream (path_is_stream()) is written into. 0, or -1 (class refused) with the reason,
 * path as it was. */
int file_replace(const char *path, const void *bytes, size_t n);
#endif
