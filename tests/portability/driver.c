/* SPDX-License-Identifier: BSD-3-Clause
 *
 * driver.c - runs all of the library on numbers that are the same everywhere, and writes what comes out.
 *
 *     driver VALUES
 *
 * Writes the values into a file and an index of them to standard output: the order of bytes, then which engine computed
 * what, how many values there are, and a checksum of their bits. results.py compares two such pairs. Ends with an error if the number of
 * threads changes a bit. */
#include "values.h"
#include "layers.h"
#include "passes.h"
#include "kernels.h"
#include "loss_kernels.h"
#include "attention_kernels.h"

/* T, N, I, H. Few of each, and more than a vector, a tile or a block of rows: build with FASTRNN_SMALL_LIMITS. */
static const fr_idx sizes[][4] = {{3, 2, 1, 5}, {1, 2, 3, 6}, {6, 5, 3, 17}, {9, 15, 18, 20}, {5, 29, 7, 40}};
enum { N_SIZES = sizeof sizes / sizeof *sizes, FEW = 1 }; /* sizes beyond the first FEW: every fifth variant */

static void run_case(struct label label, const fr_desc *d, int ragged, int update)
{
    struct layer l;
    char         what[100];
    make_layer(&l, d, ragged, update);
    l.batch_first = update % 2;
    snprintf(what, sizeof what, "%s T=%d N=%d I=%d H=%d%s%s %s", l.info.name, (int)d->T, (int)d->N, (int)d->I,
             (int)d->H, ragged ? " ragged" : "", d->reverse ? " reverse" : "", update_name[update]);
    label.what = what;
    run_layer(label, &l);
    free_layer(&l);
}

/* Every combination of order, direction and state update at the first sizes; at the others each update occurs, and each
 * combination with some cell. */
static void run_cell(struct label label, fr_desc d, int recurrent)
{
    for (int size = 0; size < N_SIZES; size++)
        for (int variant = 0; variant < (recurrent ? 4 * N_UPDATES : 1); variant++) {
            if (size >= FEW && recurrent && variant / N_UPDATES != (variant + size + (int)d.cell) % 4)
                continue;
            d.T = sizes[size][0], d.N = sizes[size][1], d.I = sizes[size][2], d.H = sizes[size][3];
            d.reverse = variant / N_UPDATES % 2;
            random_state = (uint64_t)(1 + size + N_SIZES * variant);
            run_case(label, &d, variant / N_UPDATES / 2, variant % N_UPDATES);
        }
}

/* (1 + eps)(1 - eps) - 1 is 0 if the product is rounded. */
static int fuses(int isa)
{
    const float       eps = 0x1p-23f, a = 1 + eps, b = 1 - eps;
    float             c = -1;
    size_t            bytes;
    fr_test_gemm_args args = {.dtype = FR_F32, .isa = isa, .nv = 1, .m = 1, .n = 1, .k = 1, .a = &a, .b = &b, .c = &c};
    check(fr_test_gemm_bytes(&args, &bytes));
    args.workspace = memory(bytes);
    check(fr_test_gemm(&args));
    free(args.workspace);
    return c != 0;
}

int main(int argc, char **argv)
{
    if (argc != 2 || !(values_file = fopen(argv[1], "wb")))
        stop("usage: driver VALUES, a file to write");
    const uint16_t one = 1;
    printf("%s endian\n", *(const char *)&one ? "little" : "big");
    fr_init();
    for (int isa = 0; isa < fr_isa_count(); isa++)
        for (fr_dtype dtype = FR_F32; fr_isa_usable(isa) && dtype <= FR_F64; dtype++) {
            const struct label label = {.engine = fr_isa_name(isa), .fused = fuses(isa), .dtype = dtype};
            run_kernels(label, isa);
            run_losses(label, isa);
            run_attention(label, isa);
            for (int cell = 0; cell < FR_N_CELLS; cell++) {
                fr_cell_info info;
                check(fr_get_cell_info(cell, &info));
                run_cell(label, (fr_desc){.cell = cell, .dtype = dtype, .isa = isa, .n_threads = 1}, info.recurrent);
            }
        }
    if (fclose(values_file))
        stop("cannot write the values");
    return 0;
}
