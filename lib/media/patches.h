/* patches.h: from a picture to the patches that a vision tower reads. */
#ifndef PATCHES_H
#define PATCHES_H
#include "media/image.h"

struct json_t; /* jansson.h */

/* How a model wants its pictures. */
struct patch_config {
    int patch;                      /* side of a patch, pixels */
    int merge;                      /* patches a side that become one token */
    int frames;                     /* frames in a patch (temporal_patch_size) */
    int64_t min_pixels, max_pixels; /* limits on a resized picture */
    float mean[3], std[3];          /* of r, g, b in 0..1 */
};

#define PATCH_CONFIG_FILE "preprocessor_config.json"

/* Read a model folder's settings: "image_processor" in processor_config.json, as
 * transformers 5 writes it, else preprocessor_config.json. (size.shortest_edge/
 * longest_edge or min_pixels/max_pixels; what is absent has the published defaults of
 * Qwen2-VL's processor.) 0, or -1 (class model). */
int patch_config_read(struct patch_config *pc, const char *dir);

/* These settings as they stand, NULL where there are none (json_decref() them), and the
 * name of the file that has them. 0, or -1 (class model): a file is damaged. */
int patch_config_json(struct json_t **settings, const char *dir, const char **file);

/* The size a height x width picture is resized to: both sides multiples of patch * merge,
 * within the limits, aspect ratio kept as far as that allows ("smart_resize",
 * transformers qwen2_vl/image_processing_qwen2_vl.py; Python's round half to even).
 * 0, or -1 (class media): a side ratio over 200 (the caller adds the picture's name). */
int patches_fit(const struct patch_config *pc, int height, int width, int *fit_height,
                int *fit_width);

/* Cut a fitted picture into patches, scaled to (v / 255 - mean) / std. patches is the
 * caller's, [n, 3 * frames * patch * patch], in order (block row, block column, row and
 * column in a merge x merge block); inside a patch channel, frame, y, x; a still picture
 * fills every frame alike. Returns n = height * width / patch^2; both sides must be
 * multiples of patch * merge. */
int64_t patches_cut(float *patches, const struct image *im,
                    const struct patch_config *pc);
#endif
