/* ring_data.h: files of rows, of which the places are kept and not the rows: any of them
 * can be read again, at any time, as long as the files stay as they are.
 */
#ifndef RING_DATA_H
#define RING_DATA_H
#include "row/row.h"

struct ring_file;
struct ring_place;

struct ring_data {
    struct ring_file *files; /* [file_count] */
    int file_count;
    struct ring_place *places; /* [count]: of good rows, in the order of the files */
    int64_t count, cap;
    int64_t bad, passed; /* lines that are no rows; rows that came in with an error */
};

/* Told of each bad line; the reason is in row->why. */
typedef void ring_data_bad(void *context, const struct row *row);

/* Read all files once. They are regular files of JSON lines: a list, or a packed file,
 * has no places to come back to and is refused. program is the stage of error rows; stop
 * ends it early. 0, or -1 (media, refused). ring_data_close() in both cases. */
int ring_data_open(struct ring_data *d, const char *const *files, int count,
                   const char *program, ring_data_bad *bad, void *context,
                   bool (*stop)(void *context));
void ring_data_close(struct ring_data *d);

/* Row i as it stands in its file; row_free() it. 0, or -1: the file is not what it was
 * (class media; by its size and time, and the line's hash), or memory. */
int ring_data_row(const struct ring_data *d, int64_t i, const char *program,
                  struct row *row);
#endif
