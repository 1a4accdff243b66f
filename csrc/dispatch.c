/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dispatch.c - which engines this module holds, and which of them this machine can run.
 *
 * Compiled with the instructions that every machine has: the test must not need what it tests for. */
#include "engine.h"

#if defined __AVX__
#error "dispatch.c must be compiled for the baseline"
#endif

extern const struct fr_engine fr_engine_baseline_f32, fr_engine_baseline_f64;

static int always(void) { return 1; }

#if defined FR_X86
extern const struct fr_engine fr_engine_avx2_f32, fr_engine_avx2_f64, fr_engine_avx512_f32, fr_engine_avx512_f64;

/* The compiler's test includes whether the operating system keeps the wide registers. */
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

static int has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

/* Best first. */
static const struct {
    int (*usable)(void);
    const struct fr_engine *engine[2]; /* by fr_dtype */
} isas[] = {
#if defined FR_X86
    {has_avx512, {&fr_engine_avx512_f32, &fr_engine_avx512_f64}},
    {has_avx2, {&fr_engine_avx2_f32, &fr_engine_avx2_f64}},
#endif
    {always, {&fr_engine_baseline_f32, &fr_engine_baseline_f64}},
};

int fr_isa_count(void) { return (int)(sizeof isas / sizeof *isas); }

const char *fr_isa_name(int isa) { return isa >= 0 && isa < fr_isa_count() ? isas[isa].engine[0]->isa : NULL; }

int fr_isa_usable(int isa) { return isa >= 0 && isa < fr_isa_count() && isas[isa].usable(); }

const struct fr_engine *fr_find_engine(int isa, fr_dtype dtype)
{
    return fr_isa_usable(isa) && (dtype == FR_F32 || dtype == FR_F64) ? isas[isa].engine[dtype] : NULL;
}
