/* walk.h: the pictures below a folder, in the order of their names' bytes. */
#ifndef WALK_H
#define WALK_H
#include <stdbool.h>
#include <stdint.h>

struct walk;

/* Does a name end like a picture's (jpg jpeg png webp bmp gif, any case)? */
bool walk_is_picture(const char *name);

/* Start at a folder. NULL if memory is short. */
struct walk *walk_open(const char *folder);

/* The next picture's path, malloc'd: 1. 0 at the end, -1 (class media) with *path a
 * folder that cannot be read (the walk may go on), or NULL if memory is short. Hidden
 * files and folders are left out, folders behind symbolic links too; files behind them
 * are not. */
int walk_next(struct walk *w, char **path);

/* Which of the first folder's entries the walk is at, of how many. */
void walk_progress(const struct walk *w, int *at, int *count);
/* Entries left out so far. */
int64_t walk_skipped(const struct walk *w);
void walk_close(struct walk *w);
#endif
