/* families.c: see families.h. A new family is a tower, if it has a new one, and a line.
 */
#include "engine/families.h"
#include "base/fail.h"

#include <stdio.h>
#include <string.h>

static const struct family families[] = {
    {"qwen2_5_vl", "Qwen2_5_VLForConditionalGeneration", ROPE_SECTIONS, true, false,
     false, config_vision_qwen2_5_vl, &vision_qwen2_5_vl},
    {"qwen3_vl", "Qwen3VLForConditionalGeneration", ROPE_INTERLEAVED, false, true, true,
     config_vision_qwen3_vl, &vision_qwen3_vl},
    {"qwen2", "Qwen2ForCausalLM", ROPE_PLAIN, true, false, false, NULL, NULL},
    {"qwen3", "Qwen3ForCausalLM", ROPE_PLAIN, false, true, false, NULL, NULL},
    {"llama", "LlamaForCausalLM", ROPE_PLAIN, false, false, false, NULL, NULL},
};

enum { FAMILIES = sizeof families / sizeof *families };

const struct family *family_find(const char *model_type, const char *architecture,
                                 const char *file)
{
    char known[256] = "";
    for (int i = 0; i < FAMILIES; i++) {
        const struct family *f = &families[i];
        size_t n = strlen(known);
        bool type = model_type ? strcmp(model_type, f->name) == 0 : true;
        bool form = architecture ? strcmp(architecture, f->architecture) == 0 : true;
        if ((model_type || architecture) && type && form)
            return f;
        snprintf(known + n, sizeof known - n, "%s%s (%s)", n ? ", " : "", f->name,
                 f->architecture);
    }
    fail(FAIL_MODEL,
         "%s: unknown model_type \"%.60s\", architecture \"%.60s\"; known: %s", file,
         model_type ? model_type : "", architecture ? architecture : "", known);
    return NULL;
}

const struct family *family_of(const struct model_config *mc)
{
    for (int i = 0; i < FAMILIES; i++)
        if (strcmp(mc->family, families[i].name) == 0)
            return &families[i];
    return NULL;
}
