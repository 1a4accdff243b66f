/* SPDX-License-Identifier: BSD-3-Clause
 *
 * dots.h - products of two matrices whose rows lie as they are, without packing: A B^T, and A B added to C.
 *
 * An element of A B^T is summed lane by lane over k, then over the lanes by halves; one of A B is gemm's chain over k. So
 * its bits depend on its row and its column alone. */
enum {
    DOT_ROWS = VECTOR_REGISTERS == 32 ? 4 : 2, /* rows of a tile of A B^T, and of B^T its columns: one register each */
    DOT_COLUMNS = 4,
    POINTERS = 32 /* rows that go through gemm together, a multiple of every tile */
};

/* A matrix whose rows are `row` reals apart. */
struct matrix {
    real  *at;
    fr_idx row;
};

/* The sums of the lanes of `count` vectors, in lane[i][0]: by halves, as in sum_of. */
INLINE void sum_lanes(const int count, real lane[][VL])
{
#pragma GCC unroll 8
    for (int half = VL / 2; half; half /= 2)
        for (int i = 0; i < count; i++)
            for (int k = 0; k < half; k++)
                lane[i][k] += lane[i][k + half];
}

/* What elements k.. of so many rows and columns have in a tile; `n` exist. */
INLINE void add_dots(const int rows, const int columns, struct matrix a, struct matrix b, fr_idx k, fr_idx n,
                     vec sum[DOT_ROWS][DOT_COLUMNS])
{
    vec b_k[DOT_COLUMNS];
#pragma GCC unroll 4
    for (int j = 0; j < columns; j++)
        b_k[j] = n >= VL ? load(b.at + j * b.row + k) : load_part(b.at + j * b.row + k, n);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++) {
        const vec a_k = n >= VL ? load(a.at + i * a.row + k) : load_part(a.at + i * a.row + k, n);
#pragma GCC unroll 4
        for (int j = 0; j < columns; j++)
            sum[i][j] = vfma(a_k, b_k[j], sum[i][j]);
    }
}

INLINE void dot_tile(const int rows, const int columns, struct matrix a, struct matrix b, fr_idx K, struct matrix c)
{
    vec    sum[DOT_ROWS][DOT_COLUMNS] = {{{0}}};
    real   lane[DOT_ROWS * DOT_COLUMNS][VL];
    fr_idx k = 0;
    for (; k + VL <= K; k += VL)
        add_dots(rows, columns, a, b, k, VL, sum);
    if (k < K)
        add_dots(rows, columns, a, b, k, K - k, sum);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < columns; j++)
            store(lane[i * columns + j], sum[i][j]);
    sum_lanes(rows * columns, lane);
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            c.at[i * c.row + j] = lane[i * columns + j][0];
}

INLINE struct matrix rows_from(struct matrix a, fr_idx i) { return (struct matrix){a.at + i * a.row, a.row}; }

INLINE struct matrix columns_from(struct matrix a, fr_idx j) { return (struct matrix){a.at + j, a.row}; }

/* Some rows of C, all n columns. */
INLINE void dot_rows(const int rows, struct matrix a, struct matrix b, fr_idx n, fr_idx K, struct matrix c)
{
    fr_idx j = 0;
    for (; j + DOT_COLUMNS <= n; j += DOT_COLUMNS)
        dot_tile(rows, DOT_COLUMNS, a, rows_from(b, j), K, columns_from(c, j));
    for (; j < n; j++)
        dot_tile(rows, 1, a, rows_from(b, j), K, columns_from(c, j));
}

/* C (m, n) = A (m, K) B^T, B (n, K) */
static void dots(fr_idx m, struct matrix a, struct matrix b, fr_idx n, fr_idx K, struct matrix c)
{
    fr_idx i = 0;
    for (; i + DOT_ROWS <= m; i += DOT_ROWS)
        dot_rows(DOT_ROWS, rows_from(a, i), b, n, K, rows_from(c, i));
    for (; i < m; i++)
        dot_rows(1, rows_from(a, i), b, n, K, rows_from(c, i));
}

/* The last columns, less than a vector of them. */
static void add_last_columns(fr_idx m, const real *const *a, fr_idx step, fr_idx K, struct matrix b, fr_idx n,
                             struct matrix c)
{
    for (fr_idx i = 0; i < m; i++) {
        vec sum = load_part(c.at + i * c.row, n);
        for (fr_idx k = 0; k < K; k++)
            sum = vfma(splat(a[i][k * step]), load_part(b.at + k * b.row, n), sum);
        store_part(c.at + i * c.row, sum, n);
    }
}

/* C (m, n) += A B, A (m, K) with element (i, k) at a + i*a_row + k*step, B (K, n) */
static void add_matrices(fr_idx m, const real *a, fr_idx a_row, fr_idx step, fr_idx K, struct matrix b, fr_idx n,
                         struct matrix c)
{
    const fr_idx whole = n / VL * VL, panels = panel_count(whole, MAX_NV);
    const real  *at[POINTERS];
    for (fr_idx lo = 0; lo < m; lo += POINTERS) {
        const fr_idx rows = m - lo < POINTERS ? m - lo : POINTERS;
        for (fr_idx i = 0; i < rows; i++)
            at[i] = a + (lo + i) * a_row;
        for (fr_idx p = 0; p < panels;) {
            const fr_idx         j = p * MAX_NV * VL;
            const int            nv = panel_vectors(whole, MAX_NV, p);
            const int            np = panel_group(panels_at_once(rows, nv), whole, MAX_NV, p, panels);
            const struct product product = {
                .k = K,
                .a = {at, step},
                .b = {b.at + j, b.row, MAX_NV * VL},
                .c = {c.at + lo * c.row + j, c.row, MAX_NV * VL},
            };
            gemm(rows, np, nv, &product);
            p += np;
        }
        if (whole < n)
            add_last_columns(rows, at, step, K, columns_from(b, whole), n - whole,
                             columns_from(rows_from(c, lo), whole));
    }
}
