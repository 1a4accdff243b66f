/* SPDX-License-Identifier: BSD-3-Clause
 *
 * stream - run a model that fastrnn.save wrote, one step at a time.
 *
 *     stream MODEL          a step for each row of numbers on standard input
 *     stream MODEL STEPS    so many rows of made-up numbers, to measure the speed
 *
 * Each row of output goes to standard output as hexadecimal numbers: the bits that Python's model.stream() gives. The
 * speed goes to standard error. FASTRNN_ISA names another engine than the best. */
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "architecture.h"
#include "container.h"
#include "fail.h"
#include "fastrnn.h"
#include "model.h"

_Noreturn void fail(const char *format, ...)
{
    va_list values;
    fflush(stdout);
    fputs("stream: ", stderr);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(1);
}

/* The engine that FASTRNN_ISA names, else the best that this machine can run. */
static int choose_engine(void)
{
    const char *name = getenv("FASTRNN_ISA");
    for (int isa = 0; isa < fr_isa_count(); isa++)
        if (fr_isa_usable(isa) && (!name || !*name || !strcmp(name, fr_isa_name(isa))))
            return isa;
    fail("FASTRNN_ISA: this machine cannot run %s", name);
}

/* Numbers from -0.5 to 0.5, the same at every run; exact in float32. */
static double make_number(void)
{
    static uint32_t seed = 1;
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (1 << 24) - 0.5;
}

/* Read the next row of `count` numbers; returns 0 at the end of the input. */
static int read_row(double *row, fr_idx count, long long number)
{
    for (fr_idx i = 0; i < count; i++) {
        const int read = scanf("%lf", &row[i]);
        if (read == EOF && i == 0)
            return 0;
        if (read != 1)
            fail("row %lld: expected %td numbers, got %td%s", number, count, i, read == EOF ? "" : " and no number");
    }
    return 1;
}

static void print_row(const void *y, fr_dtype dtype, fr_idx count)
{
    for (fr_idx i = 0; i < count; i++)
        printf(i ? " %a" : "%a", dtype == FR_F32 ? ((const float *)y)[i] : ((const double *)y)[i]);
    putchar('\n');
}

static double seconds(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* All steps, as many as there are if `limit` is negative; returns how many there were and adds up their time. */
static long long run(struct model *m, long long limit, double *elapsed)
{
    const fr_dtype dtype = m->stack.desc.dtype;
    double        *row = malloc((size_t)m->I * sizeof *row);
    void          *x = malloc((size_t)m->I * sizeof(double)), *y = malloc((size_t)m->O * sizeof(double));
    long long      step = 0;
    if (!row || !x || !y)
        fail("not enough memory");
    for (; limit < 0 ? read_row(row, m->I, step) : step < limit; step++) {
        for (fr_idx i = 0; i < m->I; i++) {
            const double value = limit < 0 ? row[i] : make_number();
            if (dtype == FR_F32)
                ((float *)x)[i] = (float)value;
            else
                ((double *)x)[i] = value;
        }
        const double start = seconds();
        model_step(m, x, y);
        *elapsed += seconds() - start;
        print_row(y, dtype, m->O);
    }
    free(row);
    free(x);
    free(y);
    return step;
}

int main(int argc, char **argv)
{
    char               *rest = "";
    struct container    container;
    struct architecture architecture;
    struct model        model;
    double              elapsed = 0;
    errno = 0;
    const long long limit = argc == 3 ? strtoll(argv[2], &rest, 10) : -1;
    if (argc < 2 || argc > 3 || *rest || errno || (argc == 3 && limit < 1))
        fail("expected the arguments MODEL, or MODEL and a number of STEPS");
    fr_init();
    const int isa = choose_engine();
    container_read(&container, argv[1]);
    architecture_read(&architecture, &container);
    model_create(&model, &architecture, isa);
    architecture_free(&architecture);
    container_free(&container);
    const long long steps = run(&model, limit, &elapsed);
    if (fflush(stdout) || ferror(stdout))
        fail("standard output: cannot be written");
    fprintf(stderr, "fastrnn %s, %s engine: %lld steps, %.0f a second\n", fr_version(), fr_isa_name(isa), steps,
            elapsed > 0 ? (double)steps / elapsed : 0.0);
    model_free(&model);
    return 0;
}
