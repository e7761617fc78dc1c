/* folder.h: a model folder in the making: whole under its name, or not at all. */
#ifndef MODEL_FOLDER_H
#define MODEL_FOLDER_H
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct folder {
    char dir[PATH_MAX];  /* what it will be called */
    char made[PATH_MAX]; /* what it is called while it is made */
};

/* Begin: dir must not exist; a folder beside it is made. 0 or -1 (class model). */
int folder_begin(struct folder *f, const char *dir);
/* status 0: the folder gets its name. Else, or if that fails, nothing is left of it, and
 * the failure stays. 0 or -1. */
int folder_end(struct folder *f, int status);

/* DIR/NAME. 0, or -1: too long. */
int folder_path(char path[PATH_MAX], const char *dir, const char *name);
bool folder_has(const char *dir, const char *name);

/* A file of n bytes in the folder in the making, or a JSON value; synced. 0 or -1. */
int folder_write(const struct folder *f, const char *name, const void *bytes, size_t n);
int folder_write_json(const struct folder *f, const char *name, const json_t *value);
/* Take a file over from another folder. 0 (also where it is not there and needn't be), or
 * -1. */
int folder_copy(const struct folder *f, const char *from, const char *name, bool needed);

/* Files of tokenizer and chat template, and what else lies beside weights: NULL ends each
 * list. tokenizer.json comes first. */
extern const char *const folder_tokenizer[];
extern const char *const folder_picture[]; /* of the preprocessing */
#endif
