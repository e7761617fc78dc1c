/* distance.c: edit distance, 64 rows of the matrix at a time as the bits of a word
 * (Myers, "A fast bit-vector algorithm for approximate string matching", JACM 46, 1999;
 * blocks as in Hyyro, "Explaining and extending the bit-parallel approximate string
 * matching algorithm of Myers", 2001). Blocks of rows are the outer loop: what one leaves
 * for the next is a difference in -1, 0, 1 for each column.
 */
#include "answer/distance.h"
#include "base/fail.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Everything a computation needs, in one block of memory (short texts: on the stack). */
struct matrix {
    uint32_t *alphabet; /* [letters] the rows' characters, sorted, each once */
    size_t letters;
    uint32_t *row,
        *column;       /* [n], [m]: characters as places in alphabet; none: letters */
    uint64_t *equal;   /* [letters + 1]: which rows of this block have it */
    signed char *step; /* [m] the difference that comes down each column */
};

static int by_code(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static uint32_t place_of(const struct matrix *x, uint32_t c)
{
    size_t low = 0, high = x->letters;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (x->alphabet[mid] < c)
            low = mid + 1;
        else
            high = mid;
    }
    return (uint32_t)(low < x->letters && x->alphabet[low] == c ? low : x->letters);
}

static void number_letters(struct matrix *x, const uint32_t *a, size_t n,
                           const uint32_t *b, size_t m)
{
    memcpy(x->alphabet, a, n * sizeof *a);
    qsort(x->alphabet, n, sizeof *x->alphabet, by_code);
    x->letters = 0;
    for (size_t i = 0; i < n; i++)
        if (i == 0 || x->alphabet[i] != x->alphabet[i - 1])
            x->alphabet[x->letters++] = x->alphabet[i];
    for (size_t i = 0; i < n; i++) x->row[i] = place_of(x, a[i]);
    for (size_t j = 0; j < m; j++) x->column[j] = place_of(x, b[j]);
}

/* One block of rows over all columns; last: the bit of its last row. The sum of the
 * differences along that row. */
static int64_t sweep(struct matrix *x, size_t m, unsigned last)
{
    uint64_t up = ~(uint64_t)0, down = 0; /* vertical differences of +1, of -1 */
    int64_t sum = 0;
    for (size_t j = 0; j < m; j++) {
        uint64_t equal = x->equal[x->column[j]];
        uint64_t from_above = x->step[j]<0, to_add = x->step[j]> 0;
        uint64_t vertical = equal | down;
        equal |= from_above;
        uint64_t diagonal = (((equal & up) + up) ^ up) | equal;
        uint64_t plus = down | ~(diagonal | up), minus = up & diagonal;
        int step = (int)(plus >> last & 1) - (int)(minus >> last & 1);
        plus = plus << 1 | to_add;
        minus = minus << 1 | from_above;
        up = minus | ~(vertical | plus);
        down = plus & vertical;
        x->step[j] = (signed char)step;
        sum += step;
    }
    return sum;
}

static int fill(struct matrix *x, size_t n, size_t m, size_t most, struct fuel *fuel,
                size_t *distance)
{
    int64_t sum = 0;
    memset(x->step, 1, m);
    memset(x->equal, 0, (x->letters + 1) * sizeof *x->equal);
    for (size_t top = 0; top < n; top += 64) {
        size_t rows = n - top < 64 ? n - top : 64;
        if (!fuel_burn(fuel, (int64_t)(m / 8 + 1)))
            return 1;
        for (size_t i = 0; i < rows; i++) x->equal[x->row[top + i]] |= (uint64_t)1 << i;
        sum = sweep(x, m, (unsigned)rows - 1);
        for (size_t i = 0; i < rows; i++) x->equal[x->row[top + i]] = 0;
    }
    size_t found = (size_t)((int64_t)n + sum);
    *distance = found < most ? found : most;
    return 0;
}

int distance_edit(const uint32_t *a, size_t n, const uint32_t *b, size_t m, size_t most,
                  struct fuel *fuel, size_t *distance)
{
    enum { SMALL = 128 };
    uint32_t letters[SMALL], rows[SMALL], columns[SMALL];
    uint64_t equal[SMALL + 1];
    signed char step[SMALL];
    struct matrix x = {letters, 0, rows, columns, equal, step};
    while (n > 0 && m > 0 && *a == *b) a++, b++, n--, m--;
    while (n > 0 && m > 0 && a[n - 1] == b[m - 1]) n--, m--;
    size_t longer = n > m ? n : m, shorter = n + m - longer;
    if (shorter == 0 || longer - shorter >= most) {
        *distance = longer < most ? longer : most;
        return 0;
    }
    if (n > m) { /* the shorter one makes the rows: fewer blocks */
        const uint32_t *t = a;
        a = b;
        b = t;
    }
    if (longer <= SMALL) {
        number_letters(&x, a, shorter, b, longer);
        return fill(&x, shorter, longer, most, fuel, distance);
    }
    uint64_t *block = malloc((shorter + 1) * sizeof *x.equal +
                             (2 * shorter + longer) * sizeof *x.row + longer);
    if (!block)
        return fail_memory();
    x.equal = block;
    x.alphabet = (uint32_t *)(block + shorter + 1);
    x.row = x.alphabet + shorter;
    x.column = x.row + shorter;
    x.step = (signed char *)(x.column + longer);
    number_letters(&x, a, shorter, b, longer);
    int status = fill(&x, shorter, longer, most, fuel, distance);
    free(block);
    return status;
}
