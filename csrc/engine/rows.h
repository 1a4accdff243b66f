/* SPDX-License-Identifier: BSD-3-Clause
 *
 * rows.h - which rows run at a step, and where their arrays lie.
 *
 * A batch row runs for as many steps as it is long. The description lists the rows longest first, so those that run at
 * a step are the first ones, and the tape is compact: step s holds tape rows first[s] .. first[s+1]-1, nothing for a
 * row that has ended. Position i is a row's place in that order. A row of the batch need not be a whole row of the
 * caller's sequences: where a state begins anew in the middle of one, there begins another row of the batch. */
INLINE fr_idx row_at(const fr_desc *d, fr_idx i) { return d->rows ? d->rows[i] : i; }

/* The row of the sequences that position i reads, and the first time of it. */
INLINE fr_idx source_at(const fr_desc *d, fr_idx i) { return d->source ? d->source[i] : row_at(d, i); }

INLINE fr_idx start_at(const fr_desc *d, fr_idx i) { return d->start ? d->start[i] : 0; }

INLINE fr_idx length_at(const fr_desc *d, fr_idx i) { return d->rows ? d->lengths[i] : d->T; }

INLINE fr_idx first_of(const fr_desc *d, fr_idx s) { return d->rows ? d->first[s] : s * d->N; }

/* The time that position i reads at step s, counted from the beginning of its row or part. */
INLINE fr_idx time_at(const fr_desc *d, fr_idx s, fr_idx i) { return d->reverse ? length_at(d, i) - 1 - s : s; }

/* The positions of one row group: base, base + stride, ... Ragged rows are assigned round-robin, so that every group
 * has nearly as much to do at every step; full ones stay neighbours, which keeps what a thread writes together. */
struct group {
    fr_idx base, stride, count;
};

INLINE struct group row_group(const fr_desc *d, fr_idx part, fr_idx parts)
{
    const struct range r = partition(d->N, part, parts);
    if (!d->rows)
        return (struct group){r.lo, 1, r.hi - r.lo};
    return (struct group){part, parts, (d->N - part + parts - 1) / parts};
}

INLINE fr_idx position(struct group g, fr_idx j) { return g.base + j * g.stride; }

/* How many of the group's positions lo..hi-1 run at step s: the first so many. */
INLINE fr_idx running(const fr_desc *d, fr_idx s, struct group g, fr_idx lo, fr_idx hi)
{
    const fr_idx all = first_of(d, s + 1) - first_of(d, s);
    const fr_idx n = all <= g.base ? 0 : g.stride == 1 ? all - g.base : (all - g.base + g.stride - 1) / g.stride;
    return n < lo ? 0 : n < hi ? n - lo : hi - lo;
}

/* A sequence (T, N, ...) of the caller's, with its strides; packed, (R, ...): tape row r at r*sn. */
struct field {
    real  *at;
    fr_idx st, sn;
    int    packed;
};

INLINE fr_idx field_offset(const fr_desc *d, int packed, fr_idx st, fr_idx sn, fr_idx s, fr_idx i)
{
    const fr_idx t = time_at(d, s, i);
    return packed ? (first_of(d, t) + i) * sn : (start_at(d, i) + t) * st + source_at(d, i) * sn;
}

INLINE real *field_row(const fr_desc *d, struct field f, fr_idx s, fr_idx i)
{
    return f.at + field_offset(d, f.packed, f.st, f.sn, s, i);
}

/* A field that is only read. */
INLINE struct field read_field(const void *at, fr_idx st, fr_idx sn, int packed)
{
    return (struct field){(real *)at, st, sn, packed};
}

/* The state before step s: the output of the step before, or the initial state. */
INLINE const real *state_before(const fr_desc *d, struct field y, const real *h_0, const real *zeros, fr_idx s,
                                fr_idx i)
{
    if (s)
        return field_row(d, y, s - 1, i);
    return h_0 ? h_0 + row_at(d, i) * d->H : zeros;
}

/* to = from times the mask (N, H) of position i */
INLINE const real *masked_row(const fr_desc *d, const real *mask, fr_idx i, const real *from, real *to)
{
    mask += source_at(d, i) * d->H;
    for (fr_idx j = 0; j < d->H; j++)
        to[j] = from[j] * mask[j];
    return to;
}
