/* SPDX-License-Identifier: BSD-3-Clause
 *
 * square.h - VL vectors of VL reals, transposed in registers.
 *
 * For each s = 1, 2, 4, .. below VL, pairs of vectors s apart exchange the elements whose lanes differ in that bit: what
 * was at (row, lane) is then at (lane, row). Each exchange is one or two instructions. */
#if defined __clang__
#define TWO_VECTORS(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else /* also before version 12 */
#define TWO_VECTORS(a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif

/* The lanes of two vectors, one behind the other, of which the first and the second of a pair consist. */
#define FIRST(j, s) ((j) & (s) ? VL + (j) - (s) : (j))
#define SECOND(j, s) ((j) & (s) ? VL + (j) : (j) + (s))
#define LANES_2(F, j, s) F(j, s), F((j) + 1, s)
#define LANES_4(F, j, s) LANES_2(F, j, s), LANES_2(F, (j) + 2, s)
#define LANES_8(F, j, s) LANES_4(F, j, s), LANES_4(F, (j) + 4, s)
#define LANES_16(F, j, s) LANES_8(F, j, s), LANES_8(F, (j) + 8, s)
#if VECTOR_BYTES * 8 / FR_BITS == 16
#define LANES(F, s) LANES_16(F, 0, s)
#elif VECTOR_BYTES * 8 / FR_BITS == 8
#define LANES(F, s) LANES_8(F, 0, s)
#elif VECTOR_BYTES * 8 / FR_BITS == 4
#define LANES(F, s) LANES_4(F, 0, s)
#else
#define LANES(F, s) LANES_2(F, 0, s)
#endif

#define EXCHANGE(row, s)                                                                                               \
    _Pragma("GCC unroll 16") for (int i = 0; i < VL; i++) if (!(i & (s)))                                              \
    {                                                                                                                  \
        const vec a = row[i], b = row[i + (s)];                                                                        \
        row[i] = TWO_VECTORS(a, b, LANES(FIRST, s)), row[i + (s)] = TWO_VECTORS(a, b, LANES(SECOND, s));               \
    }

INLINE void transpose(vec row[VL])
{
    EXCHANGE(row, 1)
#if VECTOR_BYTES * 8 / FR_BITS > 2
    EXCHANGE(row, 2)
#endif
#if VECTOR_BYTES * 8 / FR_BITS > 4
    EXCHANGE(row, 4)
#endif
#if VECTOR_BYTES * 8 / FR_BITS > 8
    EXCHANGE(row, 8)
#endif
}
