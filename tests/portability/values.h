/* SPDX-License-Identifier: BSD-3-Clause
 *
 * values.h - numbers that are the same on every machine, and how results are written. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../csrc/fastrnn.h"

static const char *const dtype_name[] = {[FR_F32] = "float32", [FR_F64] = "float64"};

static size_t size_of(fr_dtype dtype) { return dtype == FR_F32 ? sizeof(float) : sizeof(double); }

static void stop(const char *what)
{
    fprintf(stderr, "driver: %s\n", what);
    exit(2);
}

static void check(int code)
{
    if (code != FR_OK)
        stop(fr_strerror(code));
}

/* Memory on a 64-byte boundary; every byte is 255, a NaN: a result that is not written is seen. */
static void *memory(size_t bytes)
{
    const size_t whole = (bytes + 64) / 64 * 64;
    void        *at = aligned_alloc(64, whole);
    if (!at)
        stop("out of memory");
    return memset(at, 255, whole);
}

static uint64_t random_state;

/* A whole number below `end`. */
static int below(int end)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (int)((random_state >> 40) % (uint64_t)end);
}

/* n numbers in [-scale, scale), in `at` or in new memory. They are multiples of 2^-23 scale and scale is a power of 2,
 * so no machine rounds them. */
static void *numbers(fr_dtype dtype, fr_idx n, double scale, void *at)
{
    at = at ? at : memory((size_t)n * size_of(dtype));
    for (fr_idx i = 0; i < n; i++) {
        const double value = scale * (below(1 << 24) - (1 << 23)) / (1 << 23);
        if (dtype == FR_F32)
            ((float *)at)[i] = (float)value;
        else
            ((double *)at)[i] = value;
    }
    return at;
}

/* What a result is: a line of the index has these, the number of values, and a checksum of their bits. */
struct label {
    const char *engine;
    int         fused; /* the engine fuses products and sums */
    fr_dtype    dtype;
    const char *what;         /* the case */
    long        terms, steps; /* of support/tolerance.py */
    int         backward;     /* likewise */
};

/* All values, one after the other in the order of the index, as the machine stores them. NULL: nothing is written. */
static FILE *values_file;

/* FNV-1a over whole values, so that the order of bytes does not matter. */
static uint64_t checksum(fr_dtype dtype, fr_idx n, const void *at)
{
    uint64_t sum = UINT64_C(14695981039346656037);
    for (fr_idx i = 0; i < n; i++) {
        uint32_t half;
        uint64_t bits;
        if (dtype == FR_F32) {
            memcpy(&half, (const float *)at + i, sizeof half);
            bits = half;
        } else {
            memcpy(&bits, (const double *)at + i, sizeof bits);
        }
        sum = (sum ^ bits) * UINT64_C(1099511628211);
    }
    return sum;
}

static void write_result(const struct label *l, const char *array, fr_idx n, const void *at)
{
    if (!values_file)
        return;
    printf("%s\t%d\t%s\t%s\t%s\t%ld\t%ld\t%d\t%ld\t%016llx\n", l->engine, l->fused, dtype_name[l->dtype], l->what,
           array, l->terms, l->steps, l->backward, (long)n, (unsigned long long)checksum(l->dtype, n, at));
    if (fwrite(at, size_of(l->dtype), (size_t)n, values_file) != (size_t)n)
        stop("cannot write the values");
}

/* Every run of a case must give the bits of the first one. */
static void same_bits(const struct label *l, const char *array, const char *run, size_t bytes, const void *first,
                      const void *other)
{
    if (bytes && memcmp(first, other, bytes)) {
        fprintf(stderr, "driver: %s %s, %s: %s has other bits with %s\n", l->engine, dtype_name[l->dtype], l->what,
                array, run);
        exit(1);
    }
}

static const int thread_counts[] = {2, 3, 6}; /* 3: more than arrive at one node of a barrier; 6: 2 groups of 3 */
enum { N_THREAD_COUNTS = sizeof thread_counts / sizeof *thread_counts };
