/* conversation.h: from a row to the turns that a model is asked to go on with. */
#ifndef CONVERSATION_H
#define CONVERSATION_H
#include "model/model.h"
#include "row/row.h"

/* What the command line says about every row. */
struct conversation_options {
    const char *root;      /* folder of relative media paths; NULL: the current one */
    const char *allow_url; /* "host,host" from which media by http(s) URL are fetched;
                              NULL: none is */
    const char *system;    /* a system turn's text; NULL: none */
    const char *prompt;    /* asked where the row has no prompt of its own */
    bool prompt_given;     /* ... by an option: then a row with messages is refused */
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

/* The pictures alone of a row (those in `messages`, where it has them; what is said there
 * is not read; of options only root and allow_url are), with room for one more part
 * behind them. *parts are the row's. How many
 * (at least 1), or -1 as above. Free *c in both cases. */
int conversation_pictures(struct conversation *c, struct row *row,
                          const struct conversation_options *options,
                          struct turn_part **parts);

/* A row's pictures, with options->prompt asked about them whatever the row says itself:
 * its `prompt` is only looked at to refuse what conversation_read() refuses. 0 or -1. */
int conversation_ask(struct conversation *c, struct row *row,
                     const struct conversation_options *options);
void conversation_free(struct conversation *c);
#endif
