/* conversation.h: from a row to the turns that a model is asked to go on with. */
#ifndef CONVERSATION_H
#define CONVERSATION_H
#include "model/model.h"
#include "row/row.h"

/* What the command line says about every row. */
struct conversation_options {
    const char *root;   /* folder of relative media paths; NULL: the current one */
    const char *system; /* a system turn's text; NULL: none */
    const char *prompt; /* asked where the row has no prompt of its own */
    bool prompt_given;  /* ... by an option: then a row with messages is refused */
};

/* Turns of one row, with the media that they need already read (still encoded).
 * Everything is owned by the row (row_alloc) or by the conversation. */
struct conversation {
    struct turn *turns;
    int count;
    struct buf *files; /* [file_count] the pictures' bytes; owned */
    int file_count;
};

/* Build the conversation of a row: `messages` (OpenAI chat form; images as image_url,
 * image or input parts), or `image` / `images` and `prompt`. 0, or -1 with the class and
 * the field at fault: missing, type, media, too_large, refused. Free it in both cases. */
int conversation_read(struct conversation *c, struct row *row,
                      const struct conversation_options *options);
void conversation_free(struct conversation *c);
#endif
