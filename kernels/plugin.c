/* plugin.c: see plugin.h. */
#include "plugin.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The library's path into path. false: it is nowhere. */
static bool find(char path[PATH_MAX])
{
    static const char *const places[] = {"../lib/capmill", "../build", ".."};
    const char *given = getenv("CAPMILL_CUDA");
    char program[PATH_MAX];
    if (given && *given) {
        snprintf(path, PATH_MAX, "%s", given);
        return true;
    }
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash = n > 0 ? memrchr(program, '/', (size_t)n) : NULL;
    if (!slash)
        return false;
    *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int length =
            snprintf(path, PATH_MAX, "%s/%s/capmill-cuda.so", program, places[i]);
        if (length < PATH_MAX && access(path, R_OK) == 0)
            return true;
    }
    return false;
}

const struct kernels *plugin_open(const char *device, const char **why)
{
    char path[PATH_MAX];
    plugin_entry_function *entry;
    if (!find(path)) {
        *why =
            "no plug-in capmill-cuda.so beside this program: make builds it where nvcc "
            "is (make deps-cuda says what that needs)";
        return NULL;
    }
    void *library =
        dlopen(path, RTLD_NOW | RTLD_LOCAL); /* stays until the program ends */
    void *symbol = library ? dlsym(library, "plugin_entry") : NULL;
    if (!symbol) {
        *why = dlerror(); /* names the file; this thread's, until its next call */
        return NULL;
    }
    memcpy(&entry, &symbol, sizeof entry); /* ISO C has no cast from data to function */
    return entry(PLUGIN_ABI, device, why);
}
