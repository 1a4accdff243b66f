/* SPDX-License-Identifier: BSD-3-Clause
 *
 * move_rows.h - what passes between two layers: through dropout, and gradients that come from elsewhere. */
static void move_row(real *to, const real *from, const unsigned char *kept, real scale, fr_idx n)
{
    for (fr_idx j = 0; j < n; j++)
        to[j] = kept ? from[j] * (real)kept[j] * scale : to[j] + from[j];
}

static void move_rows(const fr_desc *d, const struct fr_rows_job *a)
{
    const struct field from = read_field(a->from.at, a->from.st, a->from.sn, a->from.packed);
    const struct field to = read_field(a->to.at, a->to.st, a->to.sn, a->to.packed);
    for (fr_idx s = 0; s < d->T; s++)
        for (fr_idx i = 0, n = first_of(d, s + 1) - first_of(d, s); i < n; i++) {
            const unsigned char *kept = a->kept.at;
            if (kept)
                kept += field_offset(d, a->kept.packed, a->kept.st, a->kept.sn, s, i);
            move_row(field_row(d, to, s, i), field_row(d, from, s, i), kept, (real)a->scale, a->width);
        }
}
