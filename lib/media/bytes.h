/* bytes.h: whole numbers out of a file's bytes. The caller has checked the bounds. */
#ifndef BYTES_H
#define BYTES_H
#include <stdint.h>

static inline uint32_t bytes_be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t bytes_le16(const uint8_t *p)
{
    return (uint32_t)p[1] << 8 | p[0];
}

static inline uint32_t bytes_be32(const uint8_t *p)
{
    return bytes_be16(p) << 16 | bytes_be16(p + 2);
}

static inline uint32_t bytes_le32(const uint8_t *p)
{
    return bytes_le16(p + 2) << 16 | bytes_le16(p);
}

static inline uint32_t bytes_le24(const uint8_t *p)
{
    return (uint32_t)p[2] << 16 | bytes_le16(p);
}

static inline void bytes_put_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static inline void bytes_put_le16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}
#endif
