/* config_keys.c: see config_read.h. */
#include "base/fail.h"
#include "engine/config_read.h"

#include <math.h>
#include <string.h>

json_t *keys_get(const struct keys *k, const char *key)
{
    json_t *value = json_object_get(k->object, key);
    return json_is_null(value) ? NULL : value;
}

static int bad(const struct keys *k, const char *key, const char *why)
{
    return fail(FAIL_MODEL, "%s: %s%s %s", k->file, k->section, key, why);
}

int keys_object(const struct keys *k, const char *key, const char *section,
                struct keys *sub)
{
    json_t *value = keys_get(k, key);
    if (!value)
        return 0;
    if (!json_is_object(value))
        return bad(k, key, "is no object");
    *sub = (struct keys){value, k->file, section};
    return 1;
}

int keys_int(const struct keys *k, const char *key, int low, int high, int otherwise,
             int *value)
{
    json_t *number = keys_get(k, key);
    if (!number && otherwise == KEYS_REQUIRED)
        return bad(k, key, "is missing");
    if (number && !json_is_integer(number))
        return bad(k, key, "is no integer");
    json_int_t n = number ? json_integer_value(number) : otherwise;
    if (n < low || n > high)
        return fail(FAIL_MODEL, "%s: %s%s is %lld, not in %d to %d", k->file, k->section,
                    key, (long long)n, low, high);
    *value = (int)n;
    return 0;
}

int keys_real(const struct keys *k, const char *key, double otherwise, double *value)
{
    json_t *number = keys_get(k, key);
    if (!number && otherwise <= 0)
        return bad(k, key, "is missing");
    if (number && !json_is_number(number))
        return bad(k, key, "is no number");
    *value = number ? json_number_value(number) : otherwise;
    return isfinite(*value) && *value > 0 ? 0 : bad(k, key, "is not above 0");
}

int keys_bool(const struct keys *k, const char *key, bool otherwise, bool *value)
{
    json_t *truth = keys_get(k, key);
    if (truth && !json_is_boolean(truth))
        return bad(k, key, "is neither true nor false");
    *value = truth ? json_is_true(truth) : otherwise;
    return 0;
}

int keys_list(const struct keys *k, const char *key, int low, int high, int max,
              int *values)
{
    json_t *list = keys_get(k, key), *item;
    size_t i;
    if (!list)
        return 0;
    if (!json_is_array(list))
        return bad(k, key, "is no list");
    if (json_array_size(list) > (size_t)max)
        return fail(FAIL_MODEL, "%s: %s%s has more than %d entries", k->file, k->section,
                    key, max);
    json_array_foreach(list, i, item)
    {
        json_int_t n = json_integer_value(item);
        if (!json_is_integer(item))
            return bad(k, key, "has an entry that is no integer");
        if (n < low || n > high)
            return fail(FAIL_MODEL, "%s: %s%s has %lld, not in %d to %d", k->file,
                        k->section, key, (long long)n, low, high);
        values[i] = (int)n;
    }
    return (int)json_array_size(list);
}

int keys_must_be(const struct keys *k, const char *key, const char *text)
{
    json_t *value = keys_get(k, key);
    const char *found = json_string_value(value);
    if (!value || (found && strcmp(found, text) == 0))
        return 0;
    return fail(FAIL_MODEL, "%s: %s%s \"%.100s\" is not supported", k->file, k->section,
                key, found ? found : "(no text)");
}
