/* SPDX-License-Identifier: BSD-3-Clause
 *
 * limits.h - the sizes at which a call changes its way: what is divided among threads, blocked, or cut into pieces.
 *
 * LIMIT(usual, small): a build with FR_SMALL_LIMITS has the second, so that calls of a few rows and steps take every
 * way that large ones take. It is for tests: it is slow, and sums over time are cut, and so rounded, elsewhere. */
#if defined FR_SMALL_LIMITS
#define LIMIT(usual, small) (small)
#else
#define LIMIT(usual, small) (usual)
#endif

enum {
    /* barrier.h */
    CROWDED = LIMIT(8, 1),   /* waits in a row on too few cores, after which one thread is faster than the team */
    SPINS = LIMIT(1500, 50), /* 20 us (a pause of 45 cycles, Zen) to 70 us (140, since Skylake) */
    TREE = LIMIT(8, 2),      /* threads that arrive at one cache line, at most: about 0.25 us */
    MAX_NODES = 8,           /* of a barrier: as many as threads at each, up to 64 */
    WATCHED = LIMIT(62, 3),  /* threads that record their core, at most */

    /* cell.h */
    FEW_HALVES = LIMIT(4, 2), /* rows from which on gates are activated by themselves */
    HALF_ROWS = LIMIT(8, 3),  /* so many rows at a time */

    /* forward.h */
    ROW_BLOCK = LIMIT(96, 13), /* rows that go through time together: each weight is reused, and L1 and L2 suffice */
    CHUNK_BYTES = LIMIT(192 * 1024, 4096), /* of tiles: written and read once per chunk, they should stay in L2 */
    SPARSE_ROWS = LIMIT(3, 2),             /* so many rows and more go together through a sparse product */
    SHORT_CHUNK = LIMIT(32, 3), /* steps, where threads meet at each: a crowded team is given up between chunks */

    /* backward.h, grads.h */
    CHUNK_ROWS = LIMIT(512, 24), /* tape rows between two updates of the weights' gradients: dgates still in L2 or L3 */
    GRAD_ROWS = LIMIT(256, 16),  /* k of their products: panels of x and h of this many rows fit L2 */
    DX_ROWS = LIMIT(48, 12),     /* rows of dx at a time, a multiple of every tile; at most ROW_BLOCK */

    /* pack.h, update.h: how many threads, as above */
    TEAM_PACK_BYTES = LIMIT(1 << 19, 1 << 10), /* some 100 us for one thread; half is a thread's share */
    UPDATE_SHARE = LIMIT(1 << 15, 4),          /* elements of a thread's share: 15 us of Adam */

    /* cross_entropy.h, ctc.h: how many threads, and what each takes at a time */
    SOFTMAX_SHARE = LIMIT(1 << 15, 4), /* logits of a thread's share: 12 us with AVX-512, 40 with vectors of 128 bits */
    SOFTMAX_TAKEN = LIMIT(1 << 13, 2), /* logits that a thread takes at a time: 3 to 10 us */
    STATE_LOGITS = 4,                  /* a state of CTC's lattice takes as long as so many logits: 3 to 5 */

    /* attend.h, attend_back.h: how many threads */
    ATTENTION_SHARE = LIMIT(1 << 15, 4), /* tanh of a thread's share: 13 us with AVX-512 */
    TANH_PRODUCTS = 16                   /* one takes as long as so many products */
};

/* plan.h: steps of a piece. The caller checks for Ctrl-C between pieces, so one should take a tenth of a second on the
 * slowest machine that runs this engine, at some 2.5e9 operations a second for each element of a vector; and not much
 * less, because starting a team costs time where cores are shared with other processes. Besides its products a step
 * takes as long as STEP_FLOP operations. */
#define PIECE_FLOP LIMIT(2.5e8 * VL, 1e5)
#define STEP_FLOP 1500.0
