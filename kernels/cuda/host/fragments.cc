/* fragments.cc: one product on tensor cores' twins, for the test that holds them to the
 * definition: fragments by the formulas of the PTX ISA ("Matrix fragments for
 * mma.m16n8k16"), which give row and column of each number of a fragment. */
#include "mma.h"

struct product16 {
    const uint16_t *a, *b; /* [16, 16]; [16, 8] */
    float *d;              /* [16, 8], added to */
    int way;
};

static void kernel(struct product16 p)
{
    SHARED_ROOM(uint16_t, room);
    uint16_t *a = room, *b = room + 256, *b_turned = room + 384, *a_turned = room + 512;
    const int lane = (int)threadIdx.x, group = lane / 4, in_group = lane % 4;
    uint16_t ha[8], hb[4];
    uint32_t fa[4], fb[4];
    float c[4];
    for (int i = 0; i < 8; i++) {
        int row = i < 2 || (i >= 4 && i < 6) ? group : group + 8;
        int column = in_group * 2 + (i & 1) + (i >= 4 ? 8 : 0);
        ha[i] = p.a[row * 16 + column];
    }
    for (int i = 0; i < 4; i++)
        hb[i] = p.b[(in_group * 2 + (i & 1) + (i >= 2 ? 8 : 0)) * 8 + group];
    memcpy(fa, ha, sizeof fa);
    memcpy(fb, hb, 2 * sizeof *fb);
    /* tiles in shared memory: as they are, and transposed */
    for (int i = lane; i < 32; i += 32) copy16_start(a + i * 8, p.a + i * 8, true);
    copy16_start(b + lane % 16 * 8, p.b + lane % 16 * 8, true);
    copies_commit();
    copies_wait<0>();
    __syncwarp();
    for (int i = lane; i < 256; i += 32) a_turned[i] = a[i % 16 * 16 + i / 16];
    for (int i = lane; i < 128; i += 32) b_turned[i] = b[i % 16 * 8 + i / 16];
    __syncwarp();
    const int row = lane % 8, low = lane / 8 % 2, high = lane / 16;
    if (p.way == 1) { /* matrices of A: rows, rows + 8; then columns + 8 */
        ldmatrix_x4(fa, a + (low * 8 + row) * 16 + high * 8);
        ldmatrix_x4(fb, b_turned + row * 16 + low * 8); /* the last two are not used */
    } else if (p.way == 2) {
        ldmatrix_x4_trans(fa, a_turned + (high * 8 + row) * 16 + low * 8);
        ldmatrix_x4_trans(fb, b + (low * 8 + row) * 8);
    }
    for (int i = 0; i < 4; i++)
        c[i] = p.d[(i < 2 ? group : group + 8) * 8 + in_group * 2 + (i & 1)];
    mma_bf16(c, fa, fb);
    for (int i = 0; i < 4; i++)
        p.d[(i < 2 ? group : group + 8) * 8 + in_group * 2 + (i & 1)] = c[i];
}

/* way: 0 by the formulas, 1 by ldmatrix, 2 by ldmatrix of transposed tiles. */
extern "C" void fragments_product(float *d, const uint16_t *a, const uint16_t *b, int way)
{
    struct product16 p = {a, b, d, way};
    blocks_run(NULL, "fragments", 1, 32, 1536, [=] { kernel(p); });
}
