/* families.h: the model families that the engine knows, one line each in families.c. */
#ifndef FAMILIES_H
#define FAMILIES_H
#include "engine/config_read.h"
#include "engine/vision.h"

struct family {
    const char *name;         /* config.json's model_type, and what messages say */
    const char *architecture; /* config.json's architectures[0] */
    enum rope_layout rope;
    bool qkv_bias, qk_norm;
    bool nested; /* published names begin with model.language_model., model.visual. */
    /* Read vision_config; NULL for a text model. */
    int (*vision_config)(struct vision_tower *vt, const struct keys *k,
                         const struct text_config *tc);
    const struct vision_kind *vision; /* its tower; NULL for a text model */
};

/* By model_type, or where that is absent by architecture. NULL (class model) names the
 * families there are. */
const struct family *family_find(const char *model_type, const char *architecture,
                                 const char *file);
/* By mc->family; never NULL for a config that config_read() gave. */
const struct family *family_of(const struct model_config *mc);
#endif
