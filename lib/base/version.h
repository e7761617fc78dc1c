/* version.h: folders named by a number, v000012, and a symbolic link to the newest. */
#ifndef VERSION_H
#define VERSION_H
#include <limits.h>
#include <stdint.h>

/* Is it "vNNNNNN" (six digits or more) with nothing behind? Its number, else -1. */
int64_t version_of(const char *name);

/* DIR/vNNNNNN, and what follows it. 0, or -1 (class model): too long. */
int version_path(char path[PATH_MAX], const char *dir, int64_t version,
                 const char *ending);

/* All versions of a folder, the newest first: free() them. NULL without memory. */
int64_t *version_list(const char *dir, int *count);

/* The version that a symbolic link leads to by its name; -1: there is no link, or it
 * leads to something else. Whether the folder is there is not looked at. */
int64_t version_linked(const char *link);

/* The folder of another version, beside the one that a symbolic link leads to. 0 or -1.
 */
int version_beside(char path[PATH_MAX], const char *link, int64_t version);

/* Let a symbolic link lead to target, in one step: readers find the old one or this. The
 * link's folder, where it is called .making-NAME at first, is synced. 0 or -1. */
int link_replace(const char *link, const char *target);
#endif
