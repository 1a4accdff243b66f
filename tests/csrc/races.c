/* SPDX-License-Identifier: BSD-3-Clause
 *
 * races.c - every way in which the engine divides a call among threads, to be run under ThreadSanitizer by find_races.py.
 *
 * The calls are those of tests/portability/driver.c. Compiled with FR_SMALL_LIMITS, so that these few rows and steps are
 * divided, blocked and cut into pieces. With the argument "planted" it makes a race on purpose: two threads run one call
 * on the same arrays. */
#include <pthread.h>

#include "../portability/values.h"
#include "../portability/layers.h"
#include "../portability/passes.h"
#include "../portability/kernels.h"
#include "../portability/loss_kernels.h"
#include "../portability/attention_kernels.h"

static const fr_idx sizes[][4] = {
    {9, 2, 5, 67},  /* T, N, I, H: units are divided; several chunks of the gradients */
    {7, 41, 3, 6},  /* rows are, in several blocks */
    {40, 7, 9, 35}, /* either, or both, by the number of threads; several pieces of time */
};
enum { N_SIZES = sizeof sizes / sizeof *sizes, VARIANTS = 4 * N_UPDATES };

static int cases, on_both; /* of them, divided by rows and units at once */

static void count_case(fr_desc d)
{
    for (int i = 0; i < N_THREAD_COUNTS; i++) {
        int    grid[2];
        double seconds;
        d.n_threads = thread_counts[i];
        check(fr_test_plan(&d, FR_BACKWARD, NULL, grid, &seconds));
        cases++, on_both += grid[0] > 1 && grid[1] > 1;
    }
}

static void run_cell(struct label label, fr_desc d)
{
    fr_cell_info info;
    check(fr_get_cell_info(d.cell, &info));
    /* Plain cells differ in their pointwise functions alone. */
    const int all = info.recurrent && (!info.activation || d.cell == FR_RNN_TANH);
    for (int variant = 0; variant < (all ? VARIANTS : 1); variant++) {
        struct layer l;
        count_case(d);
        d.reverse = variant / N_UPDATES % 2;
        make_layer(&l, &d, variant / N_UPDATES / 2, variant % N_UPDATES);
        run_layer(label, &l);
        free_layer(&l);
    }
}

static void *forward_again(void *job)
{
    static float y[9 * 2 * 67], state[2][2 * 67];
    void *const  out[N_OUTPUTS] = {[Y] = y, [H_N] = state[0], [C_N] = state[1]};
    forward(job, 1, 0, out); /* to the same arrays */
    return NULL;
}

static void plant_a_race(void)
{
    const fr_desc d = {.cell = FR_LSTM, .n_threads = 1, .T = 9, .N = 2, .I = 5, .H = 67};
    struct layer  l;
    pthread_t     other;
    make_layer(&l, &d, 0, PLAIN);
    if (pthread_create(&other, NULL, forward_again, &l))
        stop("no second thread");
    forward_again(&l);
    pthread_join(other, NULL);
    free_layer(&l);
}

int main(int argc, char **argv)
{
    fr_init();
    if (argc > 1 && !strcmp(argv[1], "planted")) {
        plant_a_race();
        return 0;
    }
    for (int dtype = FR_F32; dtype <= FR_F64; dtype++) {
        const struct label label = {.engine = fr_isa_name(0), .what = "a case", .dtype = (fr_dtype)dtype};
        run_kernels(label, 0);
        run_losses(label, 0);
        run_attention(label, 0);
        for (int size = 0; size < N_SIZES; size++)
            for (int cell = 0; cell < FR_N_CELLS; cell++) {
                const fr_idx *const n = sizes[size];
                fr_desc             d = {.cell = (fr_cell)cell, .dtype = label.dtype, .n_threads = 1};
                d.T = n[0], d.N = n[1], d.I = n[2], d.H = n[3];
                run_cell(label, d);
            }
    }
    printf("%d calls on 2, 3 and 6 threads, %d of them divided by rows and units at once\n", cases, on_both);
    return 0;
}
