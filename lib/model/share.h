/* share.h: where the files lie that come with capmill: prompts, the pocket models. */
#ifndef SHARE_H
#define SHARE_H
#include <stddef.h>

/* The share folder: $CAPMILL_SHARE, else ../share/capmill and then ../share beside the
 * running program's folder. Writes its path. 0, or -1 (class internal): none is there. */
int share_dir(char *path, size_t size);

/* share/NAME as a path. 0, or -1 if there is no such file or the path is too long. */
int share_path(char *path, size_t size, const char *name);
#endif
