/* tensorboard.h: numbers of a run as TensorBoard's event files. */
#ifndef TENSORBOARD_H
#define TENSORBOARD_H
#include <stdint.h>

struct tensorboard;

/* Make dir, if need be, and a new file events.out.tfevents.TIME.HOST.PID in it: a run
 * that goes on writes another file beside those before, as TensorBoard expects. NULL:
 * class refused with the reason. */
struct tensorboard *tensorboard_open(const char *dir);

/* A number of the step to come. 0 or -1 (memory). */
int tensorboard_add(struct tensorboard *t, const char *tag, double value);

/* Write one event with the numbers added since the last one, and flush. 0, or -1 (class
 * refused: the file cannot be written). */
int tensorboard_step(struct tensorboard *t, int64_t step);

/* NULL is fine. 0, or -1 as above. */
int tensorboard_close(struct tensorboard *t);
#endif
