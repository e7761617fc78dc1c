/* folder.c: see folder.h. */
#include "model/folder.h"
#include "base/buf.h"
#include "base/fail.h"
#include "media/source.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const folder_tokenizer[] = {"tokenizer.json",
                                        "tokenizer_config.json",
                                        "chat_template.jinja",
                                        "chat_template.json",
                                        "vocab.json",
                                        "merges.txt",
                                        "special_tokens_map.json",
                                        "added_tokens.json",
                                        NULL};
const char *const folder_picture[] = {"preprocessor_config.json",
                                      "video_preprocessor_config.json",
                                      "processor_config.json", NULL};

int folder_path(char path[PATH_MAX], const char *dir, const char *name)
{
    if (snprintf(path, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
        return fail(FAIL_MODEL, "%s: path too long", dir);
    return 0;
}

bool folder_has(const char *dir, const char *name)
{
    char path[PATH_MAX];
    return folder_path(path, dir, name) == 0 && access(path, F_OK) == 0;
}

int folder_begin(struct folder *f, const char *dir)
{
    size_t n = strlen(dir);
    while (n > 1 && dir[n - 1] == '/') n--; /* the folder to rename to has no slash */
    if (snprintf(f->dir, sizeof f->dir, "%.*s", (int)n, dir) >= (int)sizeof f->dir ||
        snprintf(f->made, sizeof f->made, "%s.making-%ld", f->dir, (long)getpid()) >=
            (int)sizeof f->made)
        return fail(FAIL_MODEL, "%s: path too long", dir);
    if (access(f->dir, F_OK) == 0)
        return fail(FAIL_MODEL, "%s: is there already", f->dir);
    if (mkdir(f->made, 0777) < 0)
        return fail(FAIL_MODEL, "%s: %s", f->made, strerror(errno));
    return 0;
}

/* Remove a folder of plain files. */
static void remove_folder(const char *dir)
{
    struct dirent **entries;
    int count = scandir(dir, &entries, NULL, NULL);
    for (int i = 0; i < count; i++) {
        char path[PATH_MAX];
        if (folder_path(path, dir, entries[i]->d_name) == 0)
            unlink(path);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    rmdir(dir);
}

int folder_end(struct folder *f, int status)
{
    struct failure why;
    if (status == 0 && rename(f->made, f->dir) < 0)
        status = fail(FAIL_MODEL, "%s: %s", f->dir, strerror(errno));
    if (status == 0)
        return 0;
    fail_save(&why);
    remove_folder(f->made);
    return fail_again(&why);
}

int folder_write(const struct folder *f, const char *name, const void *bytes, size_t n)
{
    char path[PATH_MAX];
    if (folder_path(path, f->made, name) < 0)
        return -1;
    FILE *file = fopen(path, "wxe");
    if (!file)
        return fail(FAIL_MODEL, "%s: %s", path, strerror(errno));
    bool good =
        fwrite(bytes, 1, n, file) == n && fflush(file) == 0 && fsync(fileno(file)) == 0;
    int error = errno;
    good = fclose(file) == 0 && good;
    return good ? 0 : fail(FAIL_MODEL, "%s: %s", path, strerror(error));
}

int folder_write_json(const struct folder *f, const char *name, const json_t *value)
{
    char *text = json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    if (!text)
        return fail_memory();
    int status = folder_write(f, name, text, strlen(text));
    free(text);
    return status;
}

int folder_copy(const struct folder *f, const char *from, const char *name, bool needed)
{
    char path[PATH_MAX];
    struct buf b = {0};
    if (folder_path(path, from, name) < 0)
        return -1;
    if (!needed && access(path, F_OK) < 0)
        return 0;
    int status = source_read(&b, NULL, span_of(path));
    if (status == 0)
        status = folder_write(f, name, b.data, b.len);
    buf_free(&b);
    return status;
}
