/* base64.h: bytes as base64 text, and back. */
#ifndef BASE64_H
#define BASE64_H
#include "base/buf.h"
#include "base/span.h"

/* Append what text says to out, by the rules of the WHATWG Infra standard's "forgiving
 * base64 decode": blanks are skipped, "=" at the end may be missing. 0, or -1 if the text
 * is no base64 (out is then incomplete) or out turned bad; this call leaves no
 * fail_text(). */
int base64_decode(struct buf *out, struct span text);
/* Append the text of bytes[0..n) to out, padded, without blanks. */
void base64_encode(struct buf *out, const void *bytes, size_t n);
#endif
