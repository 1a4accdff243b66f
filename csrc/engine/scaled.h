/* SPDX-License-Identifier: BSD-3-Clause
 *
 * scaled.h - vectors of numbers >= 0 of any magnitude, m 2^e: for products of thousands of probabilities.
 *
 * e is an integer in a double of its own, so that nothing underflows, as in logarithms; but sums and products are those
 * of double, exact to a rounding of m and without an exponential or a logarithm. m is NaN for NaN, 0 for 0. The
 * exponent of 0 is about FAR, so that 0 has no part in a sum; FAR is far from overflow, after any number of products. */
struct scaled {
    dvec m, e;
};

#define FAR (-1e250)

INLINE dvec dsplat(double x) { return x - (dvec){0}; }

INLINE dvec dload(const double *p) { return *(const dvec_at_double *)p; }

INLINE void dstore(double *p, dvec v) { *(dvec_at_double *)p = v; }

/* The larger of each two elements; a where one is NaN. */
INLINE dvec larger(dvec a, dvec b)
{
    const divec less = (divec)(a < b);
    return (dvec)((less & (divec)b) | (~less & (divec)a));
}

/* Adding it to a double of less than 2^51 leaves the nearest integer in the low bits. */
#define DOUBLE_MAGIC 0x1.8p52

/* 2^d for integers d <= 1023, and 0 for d <= -1023: the low bits of d, with the bias, become the exponent. */
INLINE dvec power(dvec d)
{
    const divec bits = (divec)(larger(d, dsplat(-1023)) + DOUBLE_MAGIC) << 52;
    return (dvec)(bits + ((int64_t)1023 << 52));
}

/* m is multiplied by the power of two that brings it into [1, 2). Of 0 and NaN the power is anything, and they stay. */
INLINE struct scaled normalized(dvec m, dvec e)
{
    const divec magic = (divec)dsplat(0x1p52); /* with an integer of less than 2^52 in its low bits: that much more */
    const dvec  k = (dvec)(((divec)m >> 52) | magic) - (0x1p52 + 1023);
    return (struct scaled){m * power(-k), e + k};
}

INLINE struct scaled times(struct scaled a, struct scaled b) { return normalized(a.m * b.m, a.e + b.e); }

/* Not normalized: m is less than the sum of both. */
INLINE struct scaled plus(struct scaled a, struct scaled b)
{
    const dvec e = larger(a.e, b.e);
    return (struct scaled){a.m * power(a.e - e) + b.m * power(b.e - e), e};
}

/* e^x for x <= 0 or NaN; 0 below FAR. As exp_negative of act.h, but n is of any size. Where it has more than 38 bits the
 * product with ln 2, in two parts, is rounded, which is no more than x itself was; then r is kept within its range. */
INLINE struct scaled exp_scaled(dvec x)
{
    static const double q[] = {EXPM1_TAYLOR};
    const divec         zero = (divec)(x < dsplat(FAR));
    const dvec          v = larger(x, dsplat(FAR));
    const dvec          n = (v * 1.4426950408889634074 + DOUBLE_MAGIC) - DOUBLE_MAGIC;
    dvec                r = (v - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
    r = -larger(-larger(r, dsplat(-0.5)), dsplat(-0.5));
    dvec sum = dsplat(q[0]);
    for (unsigned i = 1; i < sizeof q / sizeof *q; i++)
        sum = sum * r + q[i];
    const dvec m = r * r * sum + r + 1;
    return (struct scaled){(dvec)((divec)m & ~zero), n};
}
