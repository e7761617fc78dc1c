/* prompt_file.h: a prompt from a file of its own. */
#ifndef PROMPT_FILE_H
#define PROMPT_FILE_H
#include "base/buf.h"

/* Read the text of a prompt file into *out (appended, NUL behind it): UTF-8, the last
 * line end left out. 0, or -1: it cannot be read, is empty, too large (1 MB) or no UTF-8.
 */
int prompt_file_read(struct buf *out, const char *path);
#endif
