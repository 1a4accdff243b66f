/* SPDX-License-Identifier: BSD-3-Clause
 *
 * exported.c - runs the model of model.h on rows of numbers from standard input, twice, with a reset between; compiled as
 * C and as C++. Arguments: the number of the engine, or -1; N; T. The memory is nowhere aligned, and checked at its ends. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

enum { GUARD = 64, MOST = 4096 };

static model_number x[MOST], y[MOST];

static int check(const unsigned char *memory, size_t bytes)
{
    for (size_t k = 0; k < GUARD; k++)
        if (memory[k] != 0xAB || memory[GUARD + bytes + k] != 0xAB)
            return 0;
    return 1;
}

static int run(void *model, const double *rows, int N, int T)
{
    for (int t = 0; t < T; t++) {
        for (int i = 0; i < N * model_INPUTS; i++)
            x[i] = (model_number)rows[t * N * model_INPUTS + i];
        if (model_step(model, x, y) != 0)
            return 0;
        for (int i = 0; i < N * model_OUTPUTS; i++)
            printf(i ? " %a" : "%a", (double)y[i]);
        printf("\n");
    }
    return 1;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    const int      isa = atoi(argv[1]), N = atoi(argv[2]), T = atoi(argv[3]);
    const size_t   bytes = model_bytes(isa, N);
    unsigned char *whole = (unsigned char *)malloc(bytes + 2 * GUARD + 1), *memory = whole + 1; /* of no alignment */
    double        *rows = (double *)malloc((size_t)(T * N * model_INPUTS) * sizeof *rows);
    if (bytes == 0 || !whole || !rows || N * model_INPUTS > MOST || N * model_OUTPUTS > MOST)
        return 3;
    memset(whole, 0xAB, bytes + 2 * GUARD + 1);
    for (int i = 0; i < T * N * model_INPUTS; i++)
        if (scanf("%lf", &rows[i]) != 1)
            return 4;
    void *model = memory + GUARD;
    if (model_init(model, isa, N) != 0 || !run(model, rows, N, T))
        return 5;
    model_reset(model);
    const int right = run(model, rows, N, T) && check(memory, bytes);
    free(whole);
    free(rows);
    return right ? 0 : 6;
}
