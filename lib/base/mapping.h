/* mapping.h: a regular file's bytes, mapped read-only. */
#ifndef MAPPING_H
#define MAPPING_H
#include <stddef.h>

/* A zeroed one is empty. */
struct mapping {
    const void *data; /* owned; NULL where size is 0 */
    size_t size;
};

/* Map a file. 0, or -1 (class model) with *m empty: it is not there, or no regular file
 * (a FIFO does not block). Whoever shortens the file later kills us: as for all mappings.
 */
int mapping_open(struct mapping *m, const char *path);
void mapping_close(struct mapping *m); /* leaves *m empty */
#endif
