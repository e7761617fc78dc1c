/* share.c: see share.h. */
#include "model/share.h"
#include "base/fail.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int share_dir(char *path, size_t size)
{
    const char *named = getenv("CAPMILL_SHARE");
    if (named && *named) {
        if (snprintf(path, size, "%s", named) < (int)size && is_folder(path))
            return 0;
        return fail(FAIL_INTERNAL, "CAPMILL_SHARE=%s: no such folder", named);
    }
    static const char *const places[] = {"/../share/capmill", "/../share"};
    char program[PATH_MAX], place[PATH_MAX], real[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n < 0 ? 0 : n] = '\0';
    char *slash = strrchr(program, '/');
    if (!slash)
        return fail(FAIL_INTERNAL,
                    "cannot tell where this program lies: set CAPMILL_SHARE");
    *slash = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (snprintf(place, sizeof place, "%s%s", program, places[i]) <
                (int)sizeof place &&
            is_folder(place) && realpath(place, real) &&
            snprintf(path, size, "%s", real) < (int)size)
            return 0;
    return fail(FAIL_INTERNAL, "no share folder beside %s: set CAPMILL_SHARE", program);
}

int share_path(char *path, size_t size, const char *name)
{
    char dir[PATH_MAX];
    if (share_dir(dir, sizeof dir) < 0)
        return -1;
    if (snprintf(path, size, "%s/%s", dir, name) >= (int)size)
        return fail(FAIL_INTERNAL, "%s: path too long", name);
    return access(path, R_OK) == 0 ? 0 : fail(FAIL_INTERNAL, "%s: no such file", path);
}
