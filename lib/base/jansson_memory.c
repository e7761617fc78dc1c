/* jansson_memory.c: see jansson_memory.h. */
#include "base/jansson_memory.h"

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *allocate(size_t n)
{
    static const char text[] = ": out of memory\n";
    void *p = malloc(n ? n : 1);
    if (p)
        return p;
    const char *name = program_invocation_short_name;
    bool told = write(STDERR_FILENO, name, strlen(name)) > 0 &&
                write(STDERR_FILENO, text, sizeof text - 1) > 0;
    (void)told; /* nobody can be told that nobody was told */
    _exit(2);
}

void jansson_memory(void)
{
    json_set_alloc_funcs(allocate, free);
}
