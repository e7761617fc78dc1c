/* table.h: VLMEvalKit's tables (.tsv) as rows. Form: docs/en/Development.md and
 * vlmeval/dataset/image_base.py of that project.
 *
 *     index  image     question      hint  A    B     answer  category
 *     7      iVBORw0.. What colour?  ...   red  blue  A       colour
 *     8      7         How large?          5    6     B       size
 *
 * become
 *
 *     {"id":7,"image":"t.tsv#7@45","question":"...\nWhat
 * colour?","options":["red","blue"], "answer":"A","kind":"choice","category":"colour"}
 *     {"id":8,"image":"t.tsv#7@45","question":"How large?", ...}
 *
 * A picture stays in the table; `image` says where (source.h), so that rows stay small,
 * and rows about one picture name it alike. image_path is read where image is empty. A
 * hint goes before the question; other columns are kept as texts, empty cells left out.
 */
#ifndef TABLE_H
#define TABLE_H
#include "row/reader.h"

struct table;

/* Is it one by its name? */
bool table_named(const char *path);

/* Open a table and look it through once. absolute: rows name it by its absolute path.
 * NULL: class media with the reason. */
struct table *table_open(const char *path, bool absolute);

/* The next row. 1; 2 for one that cannot be used: the text is there as far as it goes,
 * the reason (missing, type, media) in fail_text(); or STREAM_END, STREAM_FAILED
 * (memory). */
int table_next(struct table *t, struct line *line);

double table_progress(const struct table *t); /* 0 to 1 */
void table_close(struct table *t);
#endif
