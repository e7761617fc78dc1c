/* folder.h: files and folders on a disk: whole ones, and brought there for good. */
#ifndef FOLDER_H
#define FOLDER_H
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* DIR/NAME. 0, or -1 (class model): too long. */
int path_join(char path[PATH_MAX], const char *dir, const char *name);

/* Do both name one regular file, be it there yet or not? */
bool path_same(const char *a, const char *b);

/* Is it a stream to be written into as it is: a FIFO, a terminal, /dev/null? /dev/stdout
 * and its like are, also where they lead to a regular file: that is somebody else's. */
bool path_is_stream(const char *path);

/* Open a stream to write into. One of our own descriptors (/dev/stdout) is that very one,
 * whose place in a file others share who write to it before and after. -1: errno. */
int path_stream_open(const char *path);

/* Where path leads by symbolic links, be a file there yet or not: free() it. NULL: no
 * memory. */
char *path_target(const char *path);

/* "path: strerror(errno)", of class refused where a disk is full, else model. Returns -1.
 */
int path_failed(const char *path);

/* Make a folder, unless it is there. 0 or -1. */
int folder_make(const char *path, unsigned mode);

/* What was written to a folder is on the disk. 0 or -1. */
int folder_sync(const char *path);

/* Remove a folder and all in it, a file or a symbolic link; never what a link leads to.
 * Quietly: what cannot be removed stays. */
void folder_remove(const char *path);

/* Remove what a killed run left half-made in a folder: what is called .making-SOMETHING,
 * a name that nobody else uses. */
void folder_clean(const char *path);

/* Let a folder take the place of what is at path: a folder, a link or nothing, which is
 * removed; readers find the old one or the new one. 0 or -1. */
int folder_put(const char *folder, const char *path);

/* Keep other runs out of a folder for as long as the descriptor that comes back is open.
 * -1 (refused): another run is at work there. (A file system that knows no locks keeps
 * nobody out.) */
int folder_lock(const char *path);

/* A new file of n bytes, brought to the disk. 0 or -1. */
int bytes_write(const char *path, const void *bytes, size_t n);

/* A whole file, n bytes and a NUL behind them; NULL with errno. free() it. */
char *bytes_read(const char *path, size_t *n);
#endif
