/* endpoint_spec.h: "http://host:port/v1#name[,http://host/v1#name]" taken apart. */
#ifndef ENDPOINT_SPEC_H
#define ENDPOINT_SPEC_H
#include <stdbool.h>

/* Owns everything. */
struct endpoint_spec {
    char **urls;  /* [count] bases without the name: "http://host:8000/v1" */
    char **names; /* [count] the model that each serves */
    int count;
    char hash[33]; /* of the different names, in whatever order: hex */
};

bool endpoint_spec_is(const char *spec); /* does it begin as one does? */

/* 0, or -1 (refused: no name, a password in the URL) with *e empty. A URL without a name
 * of its own has the first's. */
int endpoint_spec_read(struct endpoint_spec *e, const char *spec);
void endpoint_spec_free(struct endpoint_spec *e);

/* The bearer token: the first line of a file, else $OPENAI_API_KEY, blanks around it cut;
 * NULL where neither is. *key is the caller's to free. 0, or -1 (refused). The token is
 * never part of a message. */
int endpoint_key_read(char **key, const char *file);
#endif
