/* source_table.c: pictures that stand in a table's cells as base64 text; see source.h. */
#include "base/fail.h"
#include "base/tsv.h"
#include "media/base64.h"
#include "media/source.h"

#include <strings.h>

/* The number that ends *text behind mark; *text is then cut before it. */
static bool take_number(struct span *text, char mark, size_t *number)
{
    size_t i = text->n;
    *number = 0;
    while (i > 0 && text->s[i - 1] >= '0' && text->s[i - 1] <= '9') i--;
    if (i == text->n || text->n - i > 18 || i == 0 || text->s[i - 1] != mark)
        return false;
    for (size_t k = i; k < text->n; k++)
        *number = *number * 10 + (size_t)(text->s[k] - '0');
    text->n = i - 1;
    return true;
}

bool source_cell_is(struct span ref, struct source_cell *cell)
{
    static const char mark[] = ".tsv#";
    size_t n = sizeof mark - 1, part;
    *cell = (struct source_cell){.part = -1};
    if (!take_number(&ref, '@', &cell->offset))
        return false;
    struct span listed = {ref.s, ref.n - 1};
    if (ref.n > 0 && ref.s[ref.n - 1] == ']' && take_number(&listed, '[', &part) &&
        part < 1 << 20) {
        cell->part = (int)part;
        ref = listed;
    }
    for (size_t i = ref.n; i > n; i--)
        if (strncasecmp(ref.s + i - n, mark, n) == 0) {
            cell->path = (struct span){ref.s, i - 1};
            cell->index = (struct span){ref.s + i, ref.n - i};
            return true;
        }
    return false;
}

static int read_cell(struct buf *out, const struct tsv *t, const struct source_cell *cell,
                     struct buf *room, const char *name)
{
    struct tsv_record r;
    struct span element;
    if (!tsv_at(t, cell->offset, &r) ||
        !span_equal(tsv_text(tsv_cell(&r, tsv_column(t, "index")), room), cell->index))
        return fail(FAIL_MEDIA, "%s: no such row there: the table is another by now",
                    name);
    buf_clear(room);
    struct span text = tsv_text(tsv_cell(&r, tsv_column(t, "image")), room);
    int count = tsv_list(text, cell->part < 0 ? 0 : cell->part, &element);
    if (count <= 0 || cell->part >= count)
        return fail(FAIL_MEDIA, "%s: no such picture in that row", name);
    if (element.n / 4 * 3 > SOURCE_BYTES_MAX)
        return fail(FAIL_TOO_LARGE, "%s: over %d MB", name, SOURCE_BYTES_MAX >> 20);
    if (base64_decode(out, element) < 0)
        return out->bad ? fail_memory() : fail(FAIL_MEDIA, "%s: bad base64", name);
    return room->bad ? fail_memory() : 0;
}

int source_cell_read(struct buf *out, const char *path, const struct source_cell *cell,
                     const char *name)
{
    struct buf room = {0};
    struct tsv t;
    if (tsv_open(&t, path) < 0)
        return -1;
    int status = read_cell(out, &t, cell, &room, name);
    buf_free(&room);
    tsv_close(&t);
    return status;
}
