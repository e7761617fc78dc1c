/* table-fuzz: any bytes as a table: every row is one JSON object, or says why not; each
 * picture that a row names in the table is one cell of it, or fails by name. */
#include "fuzz.h"
#include "media/source.h"
#include "row/json.h"
#include "row/table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void read_picture(struct span ref)
{
    struct buf name = {0}, file = {0};
    check(json_text(ref, &name) == 0, "a reference is a text");
    struct source_cell cell;
    struct span text = {name.data ? name.data : "", name.len};
    /* image_path may name any file: only cells are read here. */
    if (source_cell_is(text, &cell) && strncmp(text.s, "/tmp/", 5) == 0)
        source_read(&file, NULL, text);
    buf_free(&name);
    buf_free(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/table-fuzz-%d.tsv", (int)getpid());
    FILE *f = fopen(path, "wb");
    if (!f)
        return 0;
    fwrite(data, 1, size, f);
    fclose(f);
    struct table *t = table_open(path, false);
    struct line line;
    int rc = 1;
    int64_t last = 0;
    while (t && (rc = table_next(t, &line)) > 0) {
        check(json_check(line.text) == 0 && json_type(line.text) == JSON_OBJECT,
              "a row is a JSON object");
        check(line.number > last, "lines go on");
        last = line.number;
        struct span image = json_get(line.text, "image"),
                    list = json_get(line.text, "images"), element;
        size_t at = 0;
        check(rc == 2 || json_get(line.text, "id").s, "a sound row has an id");
        if (image.s)
            read_picture(image);
        while (list.s && json_each(list, &at, &element)) read_picture(element);
        free(line.block);
    }
    check(!t || rc == STREAM_END, "the table is read to its end");
    table_close(t);
    unlink(path);
    return 0;
}
