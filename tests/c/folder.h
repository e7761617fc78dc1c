/* folder.h: a folder of its own for a C test's files: made by folder_make(), gone with
 * folder_remove(). One at a time. */
#ifndef FOLDER_H
#define FOLDER_H
#include <stdio.h>
#include <stdlib.h>

static char folder[64];

static inline int folder_make(void)
{
    snprintf(folder, sizeof folder, "%s", "/tmp/capmill-test-XXXXXX");
    return mkdtemp(folder) ? 0 : (perror(folder), -1);
}

/* The path of a file in it, until the next call. */
static inline const char *in_folder(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Takes the test's status and gives it back, or 1 if the folder could not go. */
static inline int folder_remove(int status)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0 || status;
}
#endif
