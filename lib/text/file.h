/* file.h: small model files. Inside lib/text. */
#ifndef TEXT_FILE_H
#define TEXT_FILE_H
#include "base/buf.h"

/* Put into *name: path itself where it is no folder, else path/file. 0, or -1. */
int file_find(const char *path, const char *file, struct buf *name);

/* Read a whole regular file of at most FILE_BYTES_MAX bytes into *out. 0, or -1 (class
 * model) with the name and the reason in fail_text(). */
int file_read(const char *name, struct buf *out);

/* Is there a file dir/file? 1, 0, or -1 (memory). */
int file_exists(const char *dir, const char *file);

#define FILE_BYTES_MAX ((size_t)1 << 30)
#endif
