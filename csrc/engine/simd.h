/* SPDX-License-Identifier: BSD-3-Clause
 *
 * simd.h - the number type and the vector type of one engine.
 *
 * real    float or double, by FR_BITS
 * vec     VL reals: the widest vector of the ISA that this file is compiled for (GCC/Clang vector extensions: + - * /
 *         are the language's own). ivec holds as many integers of the same width.
 *
 * The build turns contraction off: a product and a sum are fused where the source says vfma and nowhere else, so an
 * engine's bits do not depend on what a compiler found convenient. Without FMA, vfma rounds twice. Nor may a scalar be
 * kept with more digits than its type has: expressions of scalars and vectors give the same bits.
 *
 * A vec is never passed to or returned from a function that is not inlined: the ABI of vectors depends on the ISA. */
#include <assert.h>
#include <float.h>
#include <stdint.h>
#include <string.h>

#include "../fastrnn.h"

#if FLT_EVAL_METHOD != 0
#error "every operation must round to its own type: -fexcess-precision=fast; on 32-bit x86, -msse2 -mfpmath=sse"
#endif

#if defined __x86_64__
#include <immintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

#if defined __OPTIMIZE__
#define INLINE static inline __attribute__((always_inline))
#else
#define INLINE static inline /* without optimization a call through a constant pointer cannot be expanded */
#endif

#if defined __AVX512F__
#define VECTOR_BYTES 64
#define VECTOR_REGISTERS 32
#elif defined __AVX2__
#define VECTOR_BYTES 32
#define VECTOR_REGISTERS 16
#elif defined __aarch64__
#define VECTOR_BYTES 16
#define VECTOR_REGISTERS 32
#else
#define VECTOR_BYTES 16
#define VECTOR_REGISTERS 16
#endif

#if FR_BITS == 32
typedef float   real;
typedef int32_t real_bits;
#define R(x) x##f
#else
typedef double  real;
typedef int64_t real_bits;
#define R(x) x
#endif

enum { VL = VECTOR_BYTES / sizeof(real) };

typedef real      vec __attribute__((vector_size(VECTOR_BYTES)));
typedef real_bits ivec __attribute__((vector_size(VECTOR_BYTES)));
typedef real      vec_at_real __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

INLINE vec splat(real x) { return x - (vec){0}; } /* x - 0 is x for every x, -0 and NaN included */

INLINE vec load(const real *p) { return *(const vec_at_real *)p; }

INLINE void store(real *p, vec v) { *(vec_at_real *)p = v; }

#if defined __AVX2__ && !defined __AVX512F__
/* All bits of the first n lanes. */
INLINE __m256i first_lanes(fr_idx n)
{
#if FR_BITS == 32
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
#else
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
#endif
}
#endif

/* The first n <= VL elements; the rest reads as 0 and is not written. */
INLINE vec load_part(const real *p, fr_idx n)
{
    if (n >= VL)
        return load(p);
#if defined __AVX512F__ && FR_BITS == 32
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif defined __AVX512F__
    return _mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
#elif defined __AVX2__ && FR_BITS == 32
    return _mm256_maskload_ps(p, first_lanes(n));
#elif defined __AVX2__
    return _mm256_maskload_pd(p, first_lanes(n));
#else
    vec v = {0};
    for (fr_idx i = 0; i < n; i++)
        v[i] = p[i];
    return v;
#endif
}

INLINE void store_part(real *p, vec v, fr_idx n)
{
    if (n >= VL) {
        store(p, v);
        return;
    }
#if defined __AVX512F__ && FR_BITS == 32
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v);
#elif defined __AVX512F__
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), v);
#elif defined __AVX2__ && FR_BITS == 32
    _mm256_maskstore_ps(p, first_lanes(n), v);
#elif defined __AVX2__
    _mm256_maskstore_pd(p, first_lanes(n), v);
#else
    for (fr_idx i = 0; i < n; i++)
        p[i] = v[i];
#endif
}

INLINE vec vfma(vec a, vec b, vec c) /* a*b + c */
{
#if defined __AVX512F__ && FR_BITS == 32
    return _mm512_fmadd_ps(a, b, c);
#elif defined __AVX512F__
    return _mm512_fmadd_pd(a, b, c);
#elif defined __FMA__ && FR_BITS == 32
    return _mm256_fmadd_ps(a, b, c);
#elif defined __FMA__
    return _mm256_fmadd_pd(a, b, c);
#elif defined __aarch64__ && FR_BITS == 32
    return vfmaq_f32(c, a, b);
#elif defined __aarch64__
    return vfmaq_f64(c, a, b);
#else
    return a * b + c;
#endif
}

INLINE vec vnfma(vec a, vec b, vec c) { return vfma(-a, b, c); } /* c - a*b */

INLINE vec vsqrt(vec a)
{
#if defined __AVX512F__ && FR_BITS == 32
    return _mm512_sqrt_ps(a);
#elif defined __AVX512F__
    return _mm512_sqrt_pd(a);
#elif defined __AVX2__ && FR_BITS == 32
    return _mm256_sqrt_ps(a);
#elif defined __AVX2__
    return _mm256_sqrt_pd(a);
#elif defined __x86_64__ && FR_BITS == 32
    return _mm_sqrt_ps(a);
#elif defined __x86_64__
    return _mm_sqrt_pd(a);
#elif defined __aarch64__ && FR_BITS == 32
    return vsqrtq_f32(a);
#elif defined __aarch64__
    return vsqrtq_f64(a);
#else
    for (int i = 0; i < VL; i++)
        a[i] = FR_BITS == 32 ? __builtin_sqrtf((float)a[i]) : __builtin_sqrt(a[i]);
    return a;
#endif
}

/* a < b ? x : y for each element; y where a or b is NaN. */
INLINE vec if_less(vec a, vec b, vec x, vec y)
{
#if defined __AVX512F__ && FR_BITS == 32
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
#elif defined __AVX512F__
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(a, b, _CMP_LT_OQ), y, x);
#else
    const ivec less = (ivec)(a < b);
    return (vec)((less & (ivec)x) | (~less & (ivec)y));
#endif
}

/* a > b ? a : b for each element; b where a or b is NaN. */
INLINE vec vmax(vec a, vec b)
{
#if defined __AVX512F__ && FR_BITS == 32
    return _mm512_max_ps(a, b);
#elif defined __AVX512F__
    return _mm512_max_pd(a, b);
#elif defined __AVX2__ && FR_BITS == 32
    return _mm256_max_ps(a, b);
#elif defined __AVX2__
    return _mm256_max_pd(a, b);
#elif defined __x86_64__ && FR_BITS == 32
    return _mm_max_ps(a, b);
#elif defined __x86_64__
    return _mm_max_pd(a, b);
#else
    return if_less(b, a, a, b);
#endif
}

/* The sign bit of s on |x|. */
INLINE vec with_sign(vec x, vec s)
{
    const ivec sign = (ivec)splat(R(-0.0));
    return (vec)(((ivec)x & ~sign) | ((ivec)s & sign));
}

INLINE vec vabs(vec x) { return (vec)((ivec)x & ~(ivec)splat(R(-0.0))); }

/* Denormal numbers cost a hundred cycles each on many CPUs, and a gate that closes makes them by the thousand: they are
 * flushed to zero while a kernel runs. The mode is the thread's own; leaving restores what was there. */
typedef uint64_t fp_mode;

INLINE fp_mode flush_denormals(void)
{
#if defined __x86_64__
    const unsigned mode = _mm_getcsr();
    _mm_setcsr(mode | 0x8040); /* flush to zero, denormals are zero */
    return mode;
#elif defined __aarch64__
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    __asm__ volatile("msr fpcr, %0" ::"r"(mode | (UINT64_C(1) << 24)));
    return mode;
#else
    return 0;
#endif
}

INLINE void restore_denormals(fp_mode mode)
{
#if defined __x86_64__
    _mm_setcsr((unsigned)mode);
#elif defined __aarch64__
    __asm__ volatile("msr fpcr, %0" ::"r"(mode));
#else
    (void)mode;
#endif
}
