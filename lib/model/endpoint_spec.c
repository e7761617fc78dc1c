/* endpoint_spec.c: see endpoint_spec.h. */
#include "model/endpoint_spec.h"
#include "base/buf.h"
#include "base/fail.h"
#include "row/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool endpoint_spec_is(const char *spec)
{
    return strncasecmp(spec, "http://", 7) == 0 || strncasecmp(spec, "https://", 8) == 0;
}

/* Where the next URL of the list begins; names may hold commas. NULL: none. */
static const char *next_url(const char *spec)
{
    for (const char *comma = strchr(spec, ','); comma; comma = strchr(comma + 1, ','))
        if (endpoint_spec_is(comma + 1))
            return comma + 1;
    return NULL;
}

/* One "URL#name" of n bytes. 0 or -1. */
static int add(struct endpoint_spec *e, const char *one, size_t n)
{
    const char *hash = memchr(one, '#', n);
    size_t url = hash ? (size_t)(hash - one) : n;
    const char *host = strchr(one, ':') + 3;
    size_t name = hash ? n - url - 1 : 0, host_n = url - (size_t)(host - one);
    const char *slash = memchr(host, '/', host_n);
    if (memchr(host, '@', slash ? (size_t)(slash - host) : host_n))
        return fail(FAIL_REFUSED, "a user or password in an endpoint's URL: give a key "
                                  "with --api-key-file or OPENAI_API_KEY");
    if (host_n == 0 || host == slash)
        return fail(FAIL_REFUSED, "%.*s: no host in it", (int)n, one);
    while (url > 0 && one[url - 1] == '/') url--;
    if (name == 0 && e->count == 0)
        return fail(FAIL_REFUSED, "%.*s: which model? Give it as %.*s#NAME", (int)n, one,
                    (int)url, one);
    char *base = strndup(one, url);
    char *model = name ? strndup(hash + 1, name) : strdup(e->names[0]);
    e->urls[e->count] = base;
    e->names[e->count++] = model;
    return base && model ? 0 : fail_memory();
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The set of names, hashed. */
static int hash_names(struct endpoint_spec *e)
{
    struct buf all = {0};
    char **sorted = calloc((size_t)e->count, sizeof *sorted);
    if (!sorted)
        return fail_memory();
    memcpy(sorted, e->names, (size_t)e->count * sizeof *sorted);
    qsort(sorted, (size_t)e->count, sizeof *sorted, by_text);
    buf_text(&all, "endpoint");
    for (int i = 0; i < e->count; i++)
        if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0)
            buf_print(&all, "\n%s", sorted[i]);
    free(sorted);
    int status = buf_ok(&all);
    if (status == 0)
        key_hex(e->hash, all.data, all.len);
    buf_free(&all);
    return status;
}

int endpoint_spec_read(struct endpoint_spec *e, const char *spec)
{
    int count = 1, status = 0;
    *e = (struct endpoint_spec){0};
    for (const char *at = spec; (at = next_url(at)); count++) {
    }
    e->urls = calloc((size_t)count, sizeof *e->urls);
    e->names = calloc((size_t)count, sizeof *e->names);
    if (!e->urls || !e->names)
        status = fail_memory();
    for (const char *at = spec, *next; status == 0 && at; at = next) {
        next = next_url(at);
        status = add(e, at, next ? (size_t)(next - at) - 1 : strlen(at));
    }
    if (status == 0)
        status = hash_names(e);
    if (status < 0)
        endpoint_spec_free(e);
    return status;
}

void endpoint_spec_free(struct endpoint_spec *e)
{
    for (int i = 0; i < e->count; i++) {
        free(e->urls[i]);
        free(e->names[i]);
    }
    free(e->urls);
    free(e->names);
    *e = (struct endpoint_spec){0};
}

enum { KEY_BYTES_MAX = 1 << 16 };

/* What a file (or a pipe: a password manager's) holds. 0 or -1. */
static int read_file(struct buf *out, const char *name)
{
    FILE *f = fopen(name, "re");
    char *to = buf_room(out, KEY_BYTES_MAX + 1);
    if (!f || !to) {
        if (f)
            fclose(f);
        return f ? fail_memory() : fail(FAIL_REFUSED, "%s: %s", name, strerror(errno));
    }
    out->len = fread(to, 1, KEY_BYTES_MAX + 1, f);
    int bad = ferror(f) ? errno : 0;
    fclose(f);
    if (bad)
        return fail(FAIL_REFUSED, "%s: %s", name, strerror(bad));
    if (out->len > KEY_BYTES_MAX)
        return fail(FAIL_REFUSED, "%s: too large for a key", name);
    return 0;
}

/* The first line of text without blanks around it. 0 or -1. */
static int cut_key(char **key, const char *text, const char *name)
{
    text += strspn(text, " \t\r\n");
    size_t n = strcspn(text, "\r\n");
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\t')) n--;
    for (size_t i = 0; i < n; i++) /* a header must stay one header */
        if (text[i] <= ' ' || text[i] > '~')
            return fail(FAIL_REFUSED, "%s: no key: a blank or odd byte in it", name);
    if (n > 0 && !(*key = strndup(text, n)))
        return fail_memory();
    return 0;
}

int endpoint_key_read(char **key, const char *file)
{
    const char *variable = getenv("OPENAI_API_KEY");
    struct buf content = {0};
    *key = NULL;
    if (!file)
        return variable ? cut_key(key, variable, "OPENAI_API_KEY") : 0;
    int status = read_file(&content, file);
    if (status == 0)
        status = buf_string(&content) ? cut_key(key, content.data, file) : fail_memory();
    if (status == 0 && !*key)
        status = fail(FAIL_REFUSED, "%s: no key in it", file);
    buf_free(&content);
    return status;
}
