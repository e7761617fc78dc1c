/* settings.c: see settings.h. */
#include "model/settings.h"
#include "base/mapping.h"
#include "model/share.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The names of all presets, for a message. */
static void names(char *text, size_t size)
{
    char path[PATH_MAX];
    struct dirent *entry;
    DIR *dir = share_path(path, sizeof path, "presets") == 0 ? opendir(path) : NULL;
    size_t at = 0;
    text[0] = '\0';
    while (dir && (entry = readdir(dir)) && at < size) {
        size_t n = strlen(entry->d_name);
        if (n > 5 && strcmp(entry->d_name + n - 5, ".json") == 0)
            at += (size_t)snprintf(text + at, size - at, "%s%.*s", at ? ", " : "",
                                   (int)(n - 5), entry->d_name);
    }
    if (dir)
        closedir(dir);
}

/* The preset's bytes, checked. 0 or -1. */
static int preset_map(struct mapping *m, const char *name)
{
    char path[PATH_MAX], file[300], known[400];
    snprintf(file, sizeof file, "presets/%.250s.json", name);
    if (strchr(name, '/')) {
        snprintf(path, sizeof path, "%s", name);
    } else if (share_path(path, sizeof path, file) < 0) {
        names(known, sizeof known);
        return fail(FAIL_REFUSED, "there are %s", known);
    }
    if (mapping_open(m, path) < 0)
        return -1;
    struct span all = {m->data, m->size};
    if (json_check(all) < 0)
        return fail_in("%s", path);
    return json_type(all) == JSON_OBJECT ? 0 : fail(FAIL_TYPE, "%s: no object", path);
}

/* A value as the command line would have it. */
static int value_text(struct buf *b, struct span value)
{
    switch (json_type(value)) {
    case JSON_STRING: json_text(value, b); break;
    case JSON_NUMBER: buf_add(b, value.s, value.n); break;
    case JSON_TRUE: break;
    default: return fail(FAIL_TYPE, "neither a text nor a number");
    }
    return buf_string(b) ? 0 : fail_memory();
}

static int apply_one(struct cli *cli, struct span key, struct span one)
{
    struct buf name = {0}, value = {0}, from = {0};
    int status = json_text(key, &name);
    if (!buf_string(&name))
        status = fail_memory();
    if (status == 0 && json_text(json_get(one, "from"), &from) < 0)
        status = fail(FAIL_TYPE, "no text \"from\"");
    if (status == 0 && !buf_string(&from))
        status = fail_memory();
    if (status == 0)
        status = value_text(&value, json_get(one, "value"));
    if (status == 0)
        status = cli_preset(cli, name.data, value.data, from.data);
    if (status < 0 && name.data)
        fail_in("%s", name.data);
    buf_free(&name);
    buf_free(&value);
    buf_free(&from);
    return status;
}

int settings_preset(struct cli *cli)
{
    const char *name = cli_text(cli, "preset", NULL);
    struct mapping all = {0};
    struct span key, one;
    if (!name)
        return 0;
    int status = preset_map(&all, name);
    struct span section =
        status == 0 ? json_get((struct span){all.data, all.size}, cli->page->name)
                    : (struct span){0};
    if (status == 0 && json_type(section) != JSON_OBJECT)
        status = fail(FAIL_REFUSED, "it has nothing for %s", cli->page->name);
    for (size_t at = 0; status == 0 && json_member(section, &at, &key, &one);)
        status = apply_one(cli, key, one);
    mapping_close(&all);
    return status < 0 ? fail_in("--preset %s", name) : 0;
}

int settings_print(struct cli *cli)
{
    struct buf b = {0};
    cli_settings(cli, &b);
    int status = buf_ok(&b);
    if (status == 0 && (fwrite(b.data, 1, b.len, stdout) != b.len || fflush(stdout) != 0))
        status = -1; /* cli_end() tells */
    buf_free(&b);
    return status;
}
