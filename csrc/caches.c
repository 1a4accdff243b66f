/* SPDX-License-Identifier: BSD-3-Clause
 *
 * caches.c - the sizes of a core's caches, which decide how a call is divided among threads (engine/cost.h).
 *
 * Asked once: the answer takes longer than a small call. What the system does not say is taken to be as large
 * as on the small machines of today: 32 KB and 1 MB of a core's own, and 16 MB that cores share. On Linux /sys is asked:
 * sysconf gives 384 MB of L3 on a virtual Zen 5 of two cores, of which 32 are theirs, and nothing on Arm. */
#if defined __linux__
#define _GNU_SOURCE /* O_CLOEXEC */
#endif
#include "engine.h"

#include <stdatomic.h>

#if defined __linux__
#include <fcntl.h>
#include <unistd.h>
#elif defined __APPLE__
#include <stdint.h>
#include <sys/sysctl.h>
#endif

#if defined __linux__ || defined __APPLE__
static void take(size_t found, size_t least, size_t *size)
{
    if (found >= least)
        *size = found;
}
#endif

#if defined __linux__
#define CACHE "/sys/devices/system/cpu/cpu0/cache/index"

/* The text of a file of the first core's cache `index`, at most n - 1 characters, and a 0. path begins with CACHE. */
static void read_word(char index, char *path, char *to, size_t n)
{
    path[sizeof CACHE - 1] = index, to[0] = 0;
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    const ssize_t length = read(file, to, n - 1);
    to[length > 0 ? length : 0] = 0;
    close(file);
}

/* 1024K */
static size_t bytes_of(const char *text)
{
    size_t number = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        number = 10 * number + (size_t)(*text - '0');
    return *text == 'K' ? number << 10 : *text == 'M' ? number << 20 : number;
}

static void ask(fr_caches *caches)
{
    char type_at[] = CACHE "0/type", level_at[] = CACHE "0/level", size_at[] = CACHE "0/size";
    for (char index = '0'; index <= '4'; index++) {
        char type[4], level[4], size[12];
        read_word(index, type_at, type, sizeof type);
        read_word(index, level_at, level, sizeof level);
        read_word(index, size_at, size, sizeof size);
        if (type[0] == 'I') /* of instructions */
            continue;
        if (level[0] == '1')
            take(bytes_of(size), 1 << 13, &caches->l1);
        else if (level[0] == '2')
            take(bytes_of(size), 1 << 17, &caches->l2);
        else if (level[0] == '3')
            take(bytes_of(size), 1 << 20, &caches->l3);
    }
}
#elif defined __APPLE__
static size_t bytes_of(const char *name)
{
    int64_t found = 0; /* some are 32 bits wide: the lower ones */
    size_t  bytes = sizeof found;
    return sysctlbyname(name, &found, &bytes, NULL, 0) == 0 && found > 0 ? (size_t)found : 0;
}

static void ask(fr_caches *caches)
{
    take(bytes_of("hw.l2cachesize"), 1 << 17, &caches->l2); /* Intel's */
    take(bytes_of("hw.l3cachesize"), 1 << 20, &caches->l3);
    take(bytes_of("hw.perflevel0.l1dcachesize"), 1 << 13, &caches->l1);
    take(bytes_of("hw.perflevel0.l2cachesize") / 4, 1 << 17, &caches->l2); /* four cores share it */
}
#else
static void ask(fr_caches *caches) { (void)caches; }
#endif

/* Two threads that ask first find the same. */
fr_caches fr_machine_caches(void)
{
    static _Atomic size_t l1, l2, l3;
    static atomic_int     known;
    if (!atomic_load_explicit(&known, memory_order_acquire)) {
        fr_caches found = {1 << 15, 1 << 20, 1 << 24};
        ask(&found);
        atomic_store_explicit(&l1, found.l1, memory_order_relaxed);
        atomic_store_explicit(&l2, found.l2, memory_order_relaxed);
        atomic_store_explicit(&l3, found.l3, memory_order_relaxed);
        atomic_store_explicit(&known, 1, memory_order_release);
    }
    return (fr_caches){atomic_load_explicit(&l1, memory_order_relaxed), atomic_load_explicit(&l2, memory_order_relaxed),
                       atomic_load_explicit(&l3, memory_order_relaxed)};
}
