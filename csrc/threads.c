/* SPDX-License-Identifier: BSD-3-Clause
 *
 * threads.c - what the OpenMP runtime allows, and how to survive fork.
 *
 * A child of fork inherits libgomp's record of a pool of threads but not the threads, and its first parallel region
 * waits for them forever. libgomp gives the pool up when asked to pause (OpenMP 5.0), so a handler asks just before
 * each fork; the next region of the parent makes a new pool. This rests on libgomp, not on the standard: where the
 * function is missing or the runtime is another one, the child runs on one thread instead. Never use omp tasks here:
 * pausing with one unfinished is undefined.
 *
 * libgomp ends the threads that a region does not need and that the one before had, and starts new ones for the next
 * larger region. Two regions of 16 and 4 threads, again and again, take 370 us, of 16 and 16 threads 236 (two cores of a
 * Zen 5, where each thread has to wait for its turn): some 20 us for each that ends and begins. One that is woken with
 * nothing to do costs its part of a system call, about 1. So the regions of a calling thread keep their size through
 * some that need fewer threads; a call of one thread needs none. */
#define _GNU_SOURCE /* dladdr */
#include "engine.h"

#if defined _OPENMP
#include <omp.h>
#endif

static _Thread_local int region_size, smaller_regions; /* of the latest region; since when one needed as many threads */

#if defined _OPENMP && (defined __unix__ || defined __APPLE__)
#include <pthread.h>

typedef int       pause_all(omp_pause_resource_t kind);
static pause_all *pause_runtime; /* NULL: this runtime cannot give its pool up */

#if defined __GNUC__ && !defined __clang__
#include <dlfcn.h>
#include <stdint.h>

/* Looked up, not linked: a reference, even a weak one, makes the loader ask for symbols of the version OMP_5.0, and with
 * a libgomp before GCC 9, of another package that was imported first, this library would not load. Looked up in the
 * runtime in use, which musl does not find by RTLD_DEFAULT. */
static pause_all *find_pause(void)
{
    Dl_info runtime;
    void   *handle, *symbol = NULL;
    if (!dladdr((void *)(uintptr_t)omp_get_max_threads, &runtime))
        return NULL;
    if ((handle = dlopen(runtime.dli_fname, RTLD_LAZY | RTLD_NOLOAD)) != NULL) {
        symbol = dlsym(handle, "omp_pause_resource_all");
        dlclose(handle); /* the runtime stays: this library is linked with it */
    }
    return (pause_all *)(uintptr_t)symbol;
}
#else
static pause_all *find_pause(void) { return NULL; }
#endif

static void pause_pool(void)
{
    if (pause_runtime)
        pause_runtime(omp_pause_soft);
}

static int one_thread_only; /* written once in a child, before it runs anything else */

static void in_child(void)
{
    region_size = 0;
    if (!pause_runtime)
        one_thread_only = 1;
}

static void survive_fork(void)
{
    pause_runtime = find_pause();
    pthread_atfork(pause_pool, NULL, in_child);
}
#else
#if defined _OPENMP
enum { one_thread_only = 0 };
#endif
static void survive_fork(void) {}
#endif

void fr_init(void)
{
    survive_fork();
    fr_machine_caches();
}

/* So many smaller regions in a row cost as much in threads woken for nothing as to end and start them: whatever comes
 * next, at most twice the cost of knowing it. */
enum { KEPT = 20 };

int fr_region_threads(int needed, int n_threads)
{
    smaller_regions = needed < region_size ? smaller_regions + 1 : 0;
    if (needed > region_size || region_size > n_threads || smaller_regions == KEPT)
        region_size = needed, smaller_regions = 0;
    return region_size;
}

int fr_openmp(void)
{
#if defined _OPENMP
    return 1;
#else
    return 0;
#endif
}

/* Runtimes cut a setting above INT_MAX to its low bits: what is no number of threads here was a very large one. */
#if defined _OPENMP
static int capped(int n) { return n < 1 || n > FR_MAX_THREADS ? FR_MAX_THREADS : n; }
#endif

int fr_thread_limit(void)
{
#if defined _OPENMP
    return one_thread_only || omp_in_parallel() ? 1 : capped(omp_get_thread_limit());
#else
    return 1;
#endif
}

int fr_max_threads(void)
{
#if defined _OPENMP
    return capped(omp_get_max_threads());
#else
    return 1;
#endif
}
