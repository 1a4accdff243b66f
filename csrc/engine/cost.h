/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cost.h - how long a call takes on a grid of threads: the model by which plan.h chooses one.
 *
 *     the time of the slowest thread = join + steps * (multiply-adds or weights read + cell + barrier + exchange)
 *                                    + its part of what is divided among the whole team
 *
 * Multiply-adds count whole panels and tiles, so a grid that does not divide the sizes evenly costs what its largest
 * share costs. Weights are read once per step and block of rows, from the caches that hold a thread's own: more columns
 * make them fewer, more rows do not. The constants are those of a core of today's servers, rounded, and were adjusted
 * until the model chose the faster grid of 2 x 1 and 1 x 2 where these were measured (LSTM, GRU and RNN of 64 to 1024
 * units, 1 to 64 rows, AVX-512, Zen 5). A machine that is twice as fast in everything gets the same grids. */

/* Of one core, per second: vfma of whole vectors (two a cycle at 3 GHz); bytes from L1 (100 a cycle), L2 (40), L3 (7 on a
 * large Intel server, 30 on Zen 5) and memory, and the most that all cores get from these together. */
#define VFMA_RATE 6e9
#define L1_RATE 300e9
#define L2_RATE 130e9
#define L3_RATE 40e9
#define L3_RATE_OF_ALL 400e9
#define MEMORY_RATE 12e9
#define MEMORY_RATE_OF_ALL 60e9
#define EXCHANGE_RATE 15e9 /* what other cores have just written: 64 bytes in some 100 ns, several at once */

/* Seconds of a step beside its products: the loop itself, the pointers of a row, and a vector of a block in the cell (an
 * activation and its part of the rest are some 40 instructions, two or three a cycle). */
#define STEP_SECONDS 50e-9
#define ROW_SECONDS 4e-9
#define CELL_SECONDS 8e-9

/* A vfma takes four cycles: fewer than this many chains at once leave the units idle. */
#define CHAINS 8

/* To find a team and be done with it: 1 us for two threads while they still spin, as behind a call that had them less than
 * some 100 us ago, and 25 us when they have to be woken (Zen 5, in a virtual machine); each further one is woken by the
 * same system call, at about 1 us. Nearer to the second, so that more threads are not slower: with 5 us for two, an epoch
 * of `fit` with a GRU of 16 units took 1.2 times as long on two threads as on one, since they slept while Python prepared
 * the next step. */
#define JOIN_SECONDS LIMIT(18e-6, 0)
#define JOIN_SECONDS_EACH LIMIT(1e-6, 0)

/* A barrier: two lines go from core to core, 0.05 us between neighbours and 0.1 between distant ones. Arrivals at one
 * cache line come one after another, each as late as a line takes; the line that ends the barrier is then read by all.
 * 0.23 us for two threads, of which a quiet Zen 5 needs half. */
#define BARRIER_SECONDS LIMIT(150e-9, 0)
#define ARRIVAL_SECONDS LIMIT(30e-9, 0)
#define RELEASE_SECONDS LIMIT(10e-9, 0)
#define LATENESS 1.03 /* of the slowest of two threads, measured; two groups of rows do not wait for each other */

struct model {
    const fr_desc     *d;
    const struct cell *cell;
    const fr_caches   *caches;
    double             mean; /* rows in a mean step */
    double             all;  /* bytes of all weights of the pass */
};

INLINE double max_of(double a, double b) { return a > b ? a : b; }

INLINE double min_of(double a, double b) { return a < b ? a : b; }

INLINE fr_idx ceil_div(fr_idx n, fr_idx by) { return by == 1 ? n : (n + by - 1) / by; }

static double join_seconds(int threads) { return threads > 1 ? JOIN_SECONDS + JOIN_SECONDS_EACH * threads : 0; }

static double barrier_seconds(int threads)
{
    if (threads == 1)
        return 0;
    const int nodes = barrier_nodes(threads), arrivals = nodes > 1 ? nodes + (threads + nodes - 1) / nodes : threads;
    return BARRIER_SECONDS + ARRIVAL_SECONDS * arrivals + RELEASE_SECONDS * threads;
}

/* Rows of a group that go through time together, at most. */
static fr_idx block_rows(const fr_desc *d, struct grid grid)
{
    const fr_idx rows = ceil_div(d->N, grid.rows);
    return rows < ROW_BLOCK ? rows : ROW_BLOCK;
}

/* Reals in one row of the tiles of all panels that a thread owns, at most: a group's threads have the same chunks. */
static fr_idx tile_width(const fr_desc *d, struct grid grid)
{
    const struct cell *cell = &cells[d->cell];
    fr_idx             width = 0;
    for (int k = 0; k < stage_count(cell); k++) {
        const struct stage *t = &cell->stage[k];
        width += ceil_div(panel_count(d->H, t->ub), grid.cols) * t->S * t->ub * VL;
    }
    return width;
}

/* Rows of a chunk of the forward loop, at most: those of one step, or as many as have their tiles in L2. */
static fr_idx chunk_rows(const fr_desc *d, struct grid grid)
{
    const fr_idx block = block_rows(d, grid), row_bytes = (fr_idx)sizeof(real) * tile_width(d, grid);
    const fr_idx most = grid.cols > 1 && SHORT_CHUNK < d->T ? SHORT_CHUNK * block : d->T * block;
    if (most * row_bytes <= CHUNK_BYTES)
        return most;
    const fr_idx fit = CHUNK_BYTES / row_bytes;
    return fit < block ? block : fit < most ? fit : most;
}

/* One panel of nv vectors, one element of k, m rows: in multiply-adds at full rate. A tile is bound by these, by what it
 * loads (two vectors a cycle, as many as there are vfma), or by the latency of too few chains. */
static double panel_cost(double m, int nv, double panels)
{
    if (nv == 0)
        return 0;
    const double np = min_of(panels_at_once((fr_idx)(m + 0.5), nv), max_of(panels, 1));
    const double blocks = (double)ceil_div((fr_idx)(m + 0.999), tile_rows(nv)), rows = m / blocks;
    return blocks * max_of(max_of(rows * nv, nv + rows / np), CHAINS / np);
}

/* A product of `vfma` multiply-adds, for which each of so many threads reads `bytes` of weights, and `others` bytes
 * between two times. Every other step goes the other way (forward.h), so a cache that holds a part of them serves that
 * part; half of L1, an eighth of L2 and a quarter of L3 are left to what else there is. Half of the reading from L1 and
 * L2 goes on beside the multiply-adds, and three quarters of what is prefetched from farther away. Groups of rows read
 * the same weights: L3 has to hold them once. */
static double product_seconds(const struct model *m, double vfma, double bytes, double others, int threads)
{
    const double to_l1 = (double)m->caches->l1 / 2, to_l2 = to_l1 + (double)m->caches->l2 * 7 / 8, end = others + bytes;
    const double l1 = max_of(0, min_of(end, to_l1) - others), rest = max_of(0, end - max_of(others, to_l2));
    const double in_l3 = m->all > 0 ? min_of(1, (double)m->caches->l3 * 3 / 4 / m->all) : 1;
    const double near = l1 / L1_RATE + (bytes - l1 - rest) / L2_RATE;
    const double far = rest * in_l3 / min_of(L3_RATE, L3_RATE_OF_ALL / threads) +
                       rest * (1 - in_l3) / min_of(MEMORY_RATE, MEMORY_RATE_OF_ALL / threads);
    return max_of(vfma / VFMA_RATE + near / 2 + far / 4, near + far);
}

/* Where the units are split: threads meet, and read what the others have written of so many reals. */
static double meet_seconds(struct grid grid, double reals)
{
    if (grid.cols == 1)
        return 0;
    return barrier_seconds(grid.cols) + reals * sizeof(real) * (grid.cols - 1) / grid.cols / EXCHANGE_RATE;
}

/* Where threads meet at every step, each step takes as long as its slowest thread. */
static double lateness(struct grid grid) { return grid.cols > 1 ? LATENESS : 1; }

/* Rows of a block of the largest group in a mean step, and how many steps of blocks that group takes. */
struct steps {
    double rows, count;
};

static struct steps group_steps(const struct model *m, struct grid grid)
{
    const fr_idx group = ceil_div(m->d->N, grid.rows), blocks = ceil_div(group, ROW_BLOCK);
    const double rows = m->mean * (double)group / (double)m->d->N / (double)blocks;
    return (struct steps){max_of(rows, 1), (double)(m->d->T * blocks) * min_of(rows, 1)};
}

/* Of w_hh, in the time that gemm takes for one. */
static double recurrent_columns(const fr_desc *d) { return (double)(d->nonzeros ? dense_columns(d->nonzeros) : d->H); }

static double forward_seconds(const struct model *m, struct grid grid)
{
    const fr_desc     *d = m->d;
    const int          threads = grid.rows * grid.cols;
    const struct steps s = group_steps(m, grid);
    const double       chunk = min_of((double)chunk_rows(d, grid), s.rows * (double)d->T);
    double             step = STEP_SECONDS + ROW_SECONDS * s.rows, vfma_h = 0, vfma_x = 0, bytes_h = 0, bytes_x = 0;
    for (int k = 0; k < stage_count(m->cell); k++) {
        const struct stage *t = &m->cell->stage[k];
        const double        panels = (double)ceil_div(panel_count(d->H, t->ub), grid.cols);
        const double        h = panels * recurrent_columns(d), x = panels * (double)d->I, panel = t->ub * sizeof(vec);
        vfma_h += h * panel_cost(s.rows, t->Gh * t->ub, panels), bytes_h += h * t->Gh * panel;
        vfma_x += x * panel_cost(chunk, t->Gx * t->ub, panels), bytes_x += x * t->Gx * panel;
        step += CELL_SECONDS * s.rows * panels * t->ub * t->S + meet_seconds(grid, s.rows * (double)d->H);
    }
    step += product_seconds(m, vfma_h, bytes_h, 0, threads);
    return join_seconds(threads) +
           s.count * (step * lateness(grid) + product_seconds(m, vfma_x, bytes_x, bytes_h, threads) * s.rows / chunk);
}

/* What the whole team shares of a backward call, once for each GRAD_ROWS rows of the tape (grads.h). */
static double grads_seconds(const struct model *m, int threads)
{
    const fr_desc *d = m->d;
    const double   H = (double)d->H, I = (double)d->I, G = gate_count(m->cell), tape = m->mean * (double)d->T;
    const fr_idx   rows = tile_rows(MAX_NV), tiles = block_count(m->cell) * ceil_div(d->H, rows);
    const double   share = (double)ceil_div(tiles, threads) / (double)tiles;
    const double   columns = (double)panel_count(d->H, MAX_NV) + (double)panel_count(d->I, MAX_NV);
    const double   weights = share * tape * G * H / (double)rows * columns * panel_cost((double)rows, MAX_NV, 1);
    const double   chunk = min_of(tape, CHUNK_ROWS), own = max_of(chunk / threads, 1);
    const double   inputs = tape / chunk * G * H * (double)panel_count(d->I, MAX_NV) * panel_cost(own, MAX_NV, 1);
    const double   blocks = tape / GRAD_ROWS + 1, chunks = tape / CHUNK_ROWS + 1;
    const double   written = 2 * share * G * H * (H + I) * sizeof(real); /* read, and written */
    return inputs / VFMA_RATE + blocks * product_seconds(m, weights / blocks, written, 0, threads) +
           (2 * blocks + chunks) * barrier_seconds(threads);
}

static double backward_seconds(const struct model *m, struct grid grid)
{
    const fr_desc     *d = m->d;
    const int          threads = grid.rows * grid.cols;
    const struct steps s = group_steps(m, grid);
    const double vectors = (double)ceil_div(panel_count(d->H, 1), grid.cols), panels = max_of(vectors / MAX_NV, 1);
    double       step = STEP_SECONDS + ROW_SECONDS * s.rows, vfma = 0, bytes = 0;
    for (int k = 0; k < stage_count(m->cell); k++) {
        const struct stage *t = &m->cell->stage[k];
        const double        K = t->Gh * (double)d->H;
        vfma += K * panels * panel_cost(s.rows, (int)min_of(vectors, MAX_NV), panels);
        bytes += K * vectors * sizeof(vec);
        step += CELL_SECONDS * s.rows * vectors * (t->block + t->S) + meet_seconds(grid, s.rows * t->S * (double)d->H);
    }
    step += product_seconds(m, vfma, bytes, 0, threads);
    return join_seconds(threads) + s.count * step * lateness(grid) + grads_seconds(m, threads);
}
