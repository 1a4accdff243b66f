/* SPDX-License-Identifier: BSD-3-Clause
 *
 * act.h - sigmoid, tanh, relu, selu, and e^-a for a >= 0 on vec.
 *
 * All are computed from one exponential of x <= 0, kept in two parts so that neither e^x nor e^x - 1 loses digits:
 *
 *     x = n ln 2 + r,  |r| <= ln 2 / 2         scale = 2^n,  p = e^r - 1
 *     e^x     = scale + scale p
 *     e^x - 1 = scale p + (scale - 1)          scale - 1 is exact while it matters
 *
 * NaN stays NaN, +-inf saturate; results below the smallest normal number are flushed to zero. Largest errors in ULP
 * where the result is a normal number, over every float32 and over 10^7 random float64 (tests/test_act.py, slow; it
 * holds 3):
 *
 *                       sigmoid  tanh   selu  e^-a
 *     float32           2.41     2.50   1.94  1.08
 *     float64           2.46     2.54   2.90  0.98 */

#if FR_BITS == 32
#define LN2_HIGH 0.693359375f /* ln 2 to 9 bits: n * LN2_HIGH is exact for |n| < 2^14, with or without fma */
#define LN2_LOW (-2.12194440e-4f)
#define ROUND_MAGIC 0x1.8p23f /* adding it leaves the integer nearest to a float in the low bits */
#define EXPONENT_SHIFT 23
#define EXPONENT_BIAS 127
#define EXP_LIMIT 87.33654f /* 126 ln 2: beyond it e^-x is no normal number */
#else
#define LN2_HIGH 6.93145751953125e-1 /* ln 2 to 15 bits */
#define LN2_LOW 1.42860682030941723212e-6
#define ROUND_MAGIC 0x1.8p52
#define EXPONENT_SHIFT 52
#define EXPONENT_BIAS 1023
#define EXP_LIMIT 708.3964185322641 /* 1022 ln 2 */
#endif
#define LOG2_E R(1.4426950408889634074)

/* 1/13! .. 1/2!: Taylor's coefficients of the function below, from the highest power down. */
#define EXPM1_TAYLOR                                                                                                   \
    1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,           \
        1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 1.0 / 2

/* (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2.
 * float32: the Chebyshev interpolant of degree 4 on that interval, rounded; relative error of r + r^2 q: 2.4e-8.
 *   numpy.polynomial.chebyshev.Chebyshev.interpolate(lambda r: sum(r**k / factorial(k + 2) for k in range(20)),
 *                                                    4, [-0.34675, 0.34675]).convert(kind=numpy.polynomial.Polynomial)
 * float64: Taylor; the first term left out is below 1.3e-17 of the result. */
INLINE vec expm1_poly(vec r)
{
#if FR_BITS == 32
    static const real q[] = {0x1.6d113cp-10f, 0x1.120ba2p-7f, 0x1.55551ap-5f, 0x1.5554dcp-3f, 0x1p-1f};
#else
    static const real q[] = {EXPM1_TAYLOR};
#endif
    vec sum = splat(q[0]);
    for (unsigned i = 1; i < sizeof q / sizeof *q; i++)
        sum = vfma(sum, r, splat(q[i]));
    return vfma(r * r, sum, r);
}

struct exp_parts {
    vec scale, p; /* e^x = scale + scale p */
};

INLINE struct exp_parts exp_negative(vec x) /* -EXP_LIMIT <= x <= 0, or NaN */
{
    const vec  shifted = vfma(x, splat(LOG2_E), splat(ROUND_MAGIC));
    const vec  n = shifted - ROUND_MAGIC;
    const ivec bits =
        (ivec)shifted << EXPONENT_SHIFT; /* the low bits of shifted are n; ROUND_MAGIC's own are shifted out */
    const vec r = vfma(n, splat(-LN2_LOW), vfma(n, splat(-LN2_HIGH), x));
    return (struct exp_parts){(vec)(bits + ((real_bits)EXPONENT_BIAS << EXPONENT_SHIFT)), expm1_poly(r)};
}

/* max(x, -EXP_LIMIT), and NaN for NaN */
INLINE vec limit(vec x) { return vmax(splat(-EXP_LIMIT), x); }

INLINE vec minus_abs(vec x) { return (vec)((ivec)x | (ivec)splat(R(-0.0))); }

/* e^-a for a >= 0. */
INLINE vec exp_minus(vec a)
{
    const struct exp_parts e = exp_negative(limit(-a));
    return if_less(splat(EXP_LIMIT), a, (vec){0}, e.scale * (e.p + R(1.0)));
}

/* 1 / (1 + e^-x): with e = e^-|x| it is 1/(1+e) for x >= 0 and e/(1+e) below, so nothing cancels. */
INLINE vec sigmoid(vec x)
{
    const vec              below = minus_abs(x), zero = {0}, one = splat(1);
    const struct exp_parts e = exp_negative(limit(below));
    const vec              small = if_less(below, splat(-EXP_LIMIT), zero, e.scale * (e.p + R(1.0)));
    return if_less(x, zero, small, one) / (one + small);
}

/* With m = e^(-2|x|) - 1: tanh |x| = -m / (2 + m), which is accurate down to the smallest x. */
INLINE vec tanh_(vec x)
{
    const struct exp_parts e = exp_negative(limit(R(2.0) * minus_abs(x)));
    const vec              m = vfma(e.scale, e.p, e.scale - R(1.0));
    return with_sign(m / (R(2.0) + m), x);
}

INLINE vec relu(vec x) { return if_less(x, (vec){0}, (vec){0}, x); }

/* Klambauer et al. 2017, equation 2: lambda x above 0, lambda alpha (e^x - 1) below. */
#define SELU_LAMBDA R(1.0507009873554804934)
#define SELU_BOTTOM R(1.7580993408473768599) /* lambda alpha: rounded once, it saves a bit */
INLINE vec selu(vec x)
{
    const vec              zero = {0};
    const struct exp_parts e = exp_negative(limit(minus_abs(x)));
    const vec              m = vfma(e.scale, e.p, e.scale - R(1.0));
    return if_less(x, zero, SELU_BOTTOM * m, SELU_LAMBDA * x);
}
