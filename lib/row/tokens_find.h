/* tokens_find.h: the body of tokens_find(), compiled once for each instruction set.
 * Before it is included: TOKENS_FIND, the function's name; TOKENS_TARGET, its attributes;
 * tokens_block(), which makes masks of 64 bytes; tokens_fill(), below. */

/* What the bytes of a block are, a bit each, the first byte lowest. */
struct masks {
    uint64_t quote, slash; /* " and \ */
    /* { } [ ] : , and two control bytes that differ from : , in bit 5 alone, so that they
     * need not be told apart here: they are no tokens, and refused as such later. */
    uint64_t mark;
    uint64_t space;   /* what may stand between tokens */
    uint64_t control; /* below 0x20 */
    uint64_t high;    /* not ASCII */
};

/* The masks of 64 bytes. */
TOKENS_TARGET static inline struct masks tokens_block(const char *s);
/* Bit i: the exclusive or of bits 0 to i. */
TOKENS_TARGET static inline uint64_t tokens_fill(uint64_t bits);

/* Write the places of the bits, each plus base, to to; up to 64 numbers may be written
 * there, however many bits there are. */
TOKENS_TARGET static inline void tokens_put(uint32_t *to, uint32_t base, uint64_t bits);

/* Which bytes are escaped: those behind an odd run of backslashes. *carry: the byte
 * before the block is a backslash that escapes; then the same for this block. */
TOKENS_TARGET static inline uint64_t tokens_escaped(uint64_t slash, uint64_t *carry)
{
    const uint64_t odd = 0xAAAAAAAAAAAAAAAA;
    if (!slash) {
        uint64_t first = *carry;
        *carry = 0;
        return first;
    }
    /* A run's first backslash escapes, its second is escaped, and so on: subtracting
     * from the odd places makes borrows run through each run and leaves its parity. */
    uint64_t begins = slash & ~*carry;
    uint64_t runs = ((begins << 1 | odd) - begins) ^ odd;
    uint64_t escaped = runs ^ (slash | *carry);
    *carry = (runs & slash) >> 63;
    return escaped;
}

TOKENS_TARGET bool TOKENS_FIND(struct tokens *t, struct span text)
{
    uint64_t escape = 0, inside = 0, scalar = 0; /* carried from block to block */
    size_t utf8_end = 0;                         /* checked up to here */
    char tail[64];
    t->count = 0;
    if (text.n > UINT32_MAX - 64)
        return false;
    for (size_t base = 0; base < text.n; base += 64) {
        const char *s = text.s + base;
        if (text.n - base < 64) { /* never read behind the text */
            memset(tail, ' ', sizeof tail);
            memcpy(tail, s, text.n - base);
            s = tail;
        }
        struct masks m = tokens_block(s);
        uint64_t escaped = tokens_escaped(m.slash, &escape);
        uint64_t quote = m.quote & ~escaped;
        uint64_t string = tokens_fill(quote) ^ inside; /* first quote in, last one out */
        inside = 0 - (string >> 63); /* all ones if the block ends in a string */
        uint64_t wrong = m.control & string;
        for (uint64_t b = m.slash & ~escaped; b; b &= b - 1)
            if (!tokens_escape(text, base + (size_t)__builtin_ctzll(b)))
                return false;
        for (uint64_t b = m.high; b;) {
            size_t at = base + (size_t)__builtin_ctzll(b);
            if (at >= utf8_end && !(utf8_end = tokens_utf8(text, at)))
                return false;
            b = utf8_end >= base + 64 ? 0 : b & ~(uint64_t)0 << (utf8_end - base);
        }
        uint64_t other = ~(m.mark | m.space), plain = other & ~quote;
        uint64_t begins = other & ~(plain << 1 | scalar);
        scalar = plain >> 63;
        uint64_t bits = (m.mark | begins) & ~(string ^ quote);
        if (wrong || (t->cap - t->count < 64 + TOKENS_BEHIND && !tokens_room(t)))
            return false;
        uint32_t *to = t->at + t->count;
        t->count += (size_t)__builtin_popcountll(bits);
        tokens_put(to, (uint32_t)base, bits);
    }
    for (int i = 0; t->count > 0 && i < TOKENS_BEHIND; i++)
        t->at[t->count + (size_t)i] = t->at[0];
    return !inside;
}
