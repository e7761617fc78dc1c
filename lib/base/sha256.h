/* sha256.h: SHA-256 (FIPS 180-4) of bytes in memory: for telling known files apart. */
#ifndef SHA256_H
#define SHA256_H
#include <stddef.h>

enum { SHA256_TEXT = 65 }; /* 64 hexadecimal digits and a NUL */

/* The digest of bytes[0..n) in lower-case hexadecimal. */
void sha256_text(const void *bytes, size_t n, char text[SHA256_TEXT]);
#endif
