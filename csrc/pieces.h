/* SPDX-License-Identifier: BSD-3-Clause
 *
 * pieces.h - a pass through one layer and direction in pieces of about a tenth of a second, between which the caller may
 * stop it. */
struct stop {
    fr_stop_fn *asked; /* or NULL */
    void       *context;
    double      pieces; /* run since it was asked the last time: layers may be shorter than a piece */
};

/* After a part of a piece: FR_ESTOPPED if the caller wants to stop. */
static int stopped(struct stop *stop, fr_idx steps, fr_idx of)
{
    if (!stop->asked)
        return FR_OK;
    stop->pieces += (double)steps / (double)of;
    if (stop->pieces < 1)
        return FR_OK;
    stop->pieces = 0;
    return stop->asked(stop->context) ? FR_ESTOPPED : FR_OK;
}

static int run_forward(const struct fr_engine *engine, const fr_desc *d, const fr_forward_args *a,
                       struct fr_piece *piece, struct stop *stop)
{
    const fr_idx steps = stop->asked ? engine->piece_steps(d, FR_FORWARD) : d->T;
    for (piece->s_lo = 0;; piece->s_lo = piece->s_hi) {
        piece->s_hi = d->T - piece->s_lo > steps ? piece->s_lo + steps : d->T;
        engine->forward(d, a, piece);
        const int rc = stopped(stop, piece->s_hi - piece->s_lo, steps);
        if (piece->s_hi == d->T || rc != FR_OK)
            return rc;
    }
}

static int run_backward(const struct fr_engine *engine, const fr_desc *d, const fr_backward_args *a,
                        struct fr_piece *piece, struct stop *stop)
{
    const fr_idx steps = engine->piece_steps(d, FR_BACKWARD);
    for (piece->s_hi = d->T;; piece->s_hi = piece->s_lo) {
        piece->s_lo = engine->backward_piece(d, piece->s_hi);
        engine->backward(d, a, piece);
        const int rc = stopped(stop, piece->s_hi - piece->s_lo, steps);
        if (piece->s_lo == 0 || rc != FR_OK)
            return rc;
    }
}
