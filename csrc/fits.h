/* SPDX-License-Identifier: BSD-3-Clause
 *
 * fits.h - whether the product of three sizes can be the size of an array. */
#ifndef FASTRNN_FITS_H
#define FASTRNN_FITS_H

#include "fastrnn.h"

/* No array that a call touches is larger than these products times a small constant; 2^8 leaves room for it. */
static inline int fits(fr_idx a, fr_idx b, fr_idx c)
{
    fr_idx ab, abc, bytes;
    return !__builtin_mul_overflow(a, b, &ab) && !__builtin_mul_overflow(ab, c, &abc) &&
           !__builtin_mul_overflow(abc, (fr_idx)256, &bytes);
}

#endif
