/* SPDX-License-Identifier: BSD-3-Clause
 *
 * wide.h - vectors of double in both number types: where sums are long, or logarithms large, float has too few digits.
 *
 * dvec holds DL doubles; a vec, widened, is one or two of them, with its elements in their order. */
typedef double  dvec __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t divec __attribute__((vector_size(VECTOR_BYTES)));
typedef double  dvec_at_double __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(double)), may_alias));

enum { DL = VECTOR_BYTES / sizeof(double), WIDE_PARTS = VL / DL };

typedef double all_wide __attribute__((vector_size(VL * sizeof(double)))); /* a vec, widened as a whole */

struct wide {
    dvec part[WIDE_PARTS];
};

INLINE struct wide widen(vec v)
{
    const union {
        all_wide    all;
        struct wide parts;
    } wide = {__builtin_convertvector(v, all_wide)};
    return wide.parts;
}

INLINE void add_wide(struct wide *sum, vec v)
{
    const struct wide wide = widen(v);
    for (int k = 0; k < WIDE_PARTS; k++)
        sum->part[k] += wide.part[k];
}

/* The sum over the elements: by halves, because a sum in their order would wait for each of them. */
INLINE double sum_of(const struct wide *wide)
{
    double lane[DL];
    dvec   sum = wide->part[0];
    for (int k = 1; k < WIDE_PARTS; k++)
        sum += wide->part[k];
    memcpy(lane, &sum, sizeof lane);
    for (int half = DL / 2; half; half /= 2)
        for (int k = 0; k < half; k++)
            lane[k] += lane[k + half];
    return lane[0];
}
