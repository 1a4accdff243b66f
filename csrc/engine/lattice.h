/* SPDX-License-Identifier: BSD-3-Clause
 *
 * lattice.h - the lattice of CTC (Graves et al., ICML 2006, section 4): all paths that spell the labels of a row.
 *
 * A row with U labels has a blank before each label, u = 0..U-1, and one behind the last, u = U. With p the probability
 * of a state's class at a step, and jump[u] = 1 where label u differs from the one before it, else 0,
 *
 *     alpha'[blank u] = p (alpha[blank u] + alpha[label u-1])
 *     alpha'[label u] = p (alpha[label u] + alpha[blank u] + jump[u] alpha[label u-1])
 *     beta'[blank u]  = (p beta)[blank u] + (p beta)[label u]
 *     beta'[label u]  = (p beta)[label u] + (p beta)[blank u+1] + jump[u+1] (p beta)[label u+1]
 *
 * alpha is 1 in blank 0 before the first step, beta 1 in the last blank and label behind the last. P, the probability of
 * the labels, is alpha there; alpha beta / P is the share of P that passes through a state at a step. All numbers are of
 * scaled.h: those of one step may be e^20000 apart, and the smaller one become the larger. */

/* One number for each u = -1..U+1, each half with room for a vector before 0 and behind U. */
struct line {
    double *m, *e;
};

/* One of each kind: the blanks and labels at a step. */
struct states {
    struct line blank, label;
};

/* The memory of a thread. */
struct ctc_space {
    fr_idx  width; /* W: of half a line */
    double *alpha; /* (T+1, 4, W): states, before each step and behind the last */
    double *p;     /* (T, 2, W): a line, of the labels' classes at each step */
    double *blank; /* (T, 2): m and e of the blank */
    double *total; /* (T) of softmax.h */
    double *beta;  /* (4, W) */
    double *next;  /* (4, W): p beta */
    double *jump;  /* (2, W): 1 or 0 */
    double *share; /* (W) of the labels at a step */
};

static size_t ctc_layout(const fr_ctc_args *a, char *base, struct ctc_space *out)
{
    const fr_idx T = a->T, W = (a->S + 1 + DL - 1) / DL * DL + 2 * DL;
    struct arena arena = {base, 0};
    out->width = W;
    out->alpha = reserve(&arena, (T + 1) * 4 * W, sizeof(double));
    out->p = reserve(&arena, T * 2 * W, sizeof(double));
    out->blank = reserve(&arena, T * 2, sizeof(double));
    out->total = reserve(&arena, T, sizeof(double));
    out->beta = reserve(&arena, 4 * W, sizeof(double));
    out->next = reserve(&arena, 4 * W, sizeof(double));
    out->jump = reserve(&arena, 2 * W, sizeof(double));
    out->share = reserve(&arena, W, sizeof(double));
    return arena.used;
}

static size_t ctc_bytes(const fr_ctc_args *a)
{
    struct ctc_space none;
    const fr_idx     threads = a->n_threads < a->N ? a->n_threads : a->N;
    return (size_t)threads * ctc_layout(a, NULL, &none);
}

/* What a thread needs of the row that it is at. */
struct ctc_row {
    fr_idx           T, U;
    const fr_idx    *labels; /* (U) */
    const real      *z;      /* (T, V), steps z_st apart */
    real            *dz;     /* likewise, dz_st */
    struct line      jump;
    struct ctc_space space;
};

INLINE struct line line_at(double *at, fr_idx W) { return (struct line){at + DL, at + W + DL}; }

INLINE struct states states_at(double *at, fr_idx W) { return (struct states){line_at(at, W), line_at(at + 2 * W, W)}; }

INLINE struct states alpha_at(const struct ctc_row *r, fr_idx t)
{
    return states_at(r->space.alpha + t * 4 * r->space.width, r->space.width);
}

INLINE struct line p_at(const struct ctc_row *r, fr_idx t)
{
    return line_at(r->space.p + t * 2 * r->space.width, r->space.width);
}

INLINE struct scaled blank_at(const struct ctc_row *r, fr_idx t)
{
    return (struct scaled){dsplat(r->space.blank[2 * t]), dsplat(r->space.blank[2 * t + 1])};
}

INLINE struct scaled get(struct line from, fr_idx u) { return (struct scaled){dload(from.m + u), dload(from.e + u)}; }

INLINE void put(struct line to, fr_idx u, struct scaled x)
{
    dstore(to.m + u, x.m);
    dstore(to.e + u, x.e);
}

INLINE void put_one(struct line to, fr_idx u, double m, double e) { to.m[u] = m, to.e[u] = e; }

/* a * jump, where jump is 1 or 0. */
INLINE struct scaled if_jump(struct scaled jump, struct scaled a)
{
    return (struct scaled){a.m * jump.m, a.e + jump.e};
}

/* Zero everywhere, with the vectors before and behind. */
static void clear(double *at, fr_idx lines, fr_idx W)
{
    for (fr_idx k = 0; k < 2 * lines; k++)
        for (fr_idx i = 0; i < W; i++)
            at[k * W + i] = k % 2 ? FAR : 0;
}

static void run_alpha(const struct ctc_row *r)
{
    const fr_idx  W = r->space.width;
    struct states now = alpha_at(r, 0);
    clear(r->space.alpha, 2, W);
    put_one(now.blank, 0, 1, 0);
    for (fr_idx t = 0; t < r->T; t++) {
        const struct states next = alpha_at(r, t + 1);
        const struct line   p = p_at(r, t);
        const struct scaled p_blank = blank_at(r, t);
        put_one(next.label, -1, 0, FAR);
        for (fr_idx u = 0; u <= r->U; u += DL) {
            const struct scaled blank = get(now.blank, u), before = get(now.label, u - 1);
            const struct scaled stay = plus(get(now.label, u), blank), jump = if_jump(get(r->jump, u), before);
            put(next.blank, u, times(plus(blank, before), p_blank));
            put(next.label, u, times(plus(stay, jump), get(p, u)));
        }
        now = next;
    }
}

/* The probability of the labels, in the first element. */
static struct scaled all_paths(const struct ctc_row *r)
{
    const struct states end = alpha_at(r, r->T);
    const struct scaled P = plus(get(end.blank, r->U), get(end.label, r->U - 1)); /* label -1 is zero */
    return normalized(P.m, P.e);
}

/* Writes the shares of the labels at a step and p beta, and returns the share of the blank. */
static double run_shares(const struct ctc_row *r, fr_idx t, struct scaled P, struct states beta, struct states next)
{
    const struct states alpha = alpha_at(r, t + 1);
    const struct line   p = p_at(r, t);
    const struct scaled p_blank = blank_at(r, t);
    const dvec          m_P = dsplat(1 / P.m[0]), e_P = dsplat(P.e[0]);
    dvec                sum = {0};
    double              blank = 0;
    for (fr_idx u = 0; u <= r->U; u += DL) {
        const struct scaled a_blank = get(alpha.blank, u), a_label = get(alpha.label, u);
        const struct scaled b_blank = get(beta.blank, u), b_label = get(beta.label, u);
        sum += a_blank.m * b_blank.m * m_P * power(a_blank.e + b_blank.e - e_P);
        dstore(r->space.share + u, a_label.m * b_label.m * m_P * power(a_label.e + b_label.e - e_P));
        put(next.blank, u, times(b_blank, p_blank));
        put(next.label, u, times(b_label, get(p, u)));
    }
    for (int lane = 0; lane < (int)DL; lane++)
        blank += sum[lane];
    return blank;
}

static void run_beta(const struct ctc_row *r, struct states beta, struct states next)
{
    for (fr_idx u = 0; u <= r->U; u += DL) {
        const struct scaled label = get(next.label, u), jump = if_jump(get(r->jump, u + 1), get(next.label, u + 1));
        put(beta.blank, u, plus(get(next.blank, u), label));
        put(beta.label, u, plus(plus(label, get(next.blank, u + 1)), jump));
    }
}
