/* preset_list.c: see preset_list.h. */
#include "prism/preset_list.h"
#include "base/buf.h"
#include "base/fail.h"
#include "model/share.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int is_preset(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 5 && entry->d_name[0] != '.' &&
           strcmp(entry->d_name + n - 5, ".json") == 0;
}

/* alphasort() goes by the locale. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

int preset_unknown(const char *name)
{
    char folder[PATH_MAX];
    struct dirent **entries;
    struct buf b = {0};
    if (share_path(folder, sizeof folder, "benchmarks") < 0)
        return -1;
    int count = scandir(folder, &entries, is_preset, by_name);
    for (int i = 0; i < count; i++) {
        buf_print(&b, "%s%.*s", i ? ", " : "", (int)strlen(entries[i]->d_name) - 5,
                  entries[i]->d_name);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    fail(FAIL_REFUSED, "no preset \"%.60s\": there are %s; or a path", name,
         buf_string(&b) && b.len ? b.data : "none");
    buf_free(&b);
    return -1;
}
