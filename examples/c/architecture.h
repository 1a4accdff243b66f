/* SPDX-License-Identifier: BSD-3-Clause
 *
 * architecture.h - what a file describes, as layers of the library: each RNN, LSTM or GRU of one direction gives
 * num_layers of them, a Linear gives one, a Dropout none (it does nothing in inference), a Sequential those in it. */
#ifndef ARCHITECTURE_H
#define ARCHITECTURE_H

#include "container.h"
#include "fastrnn.h"

struct layer {
    fr_cell     cell;
    fr_idx      I, H;
    const void *w_ih, *w_hh, *b_ih, *b_hh; /* as fr_pack takes them; in the memory of the container */
};

struct architecture {
    fr_dtype      dtype;
    int           count;
    struct layer *layers;
};

/* Read the layers, or fail and name the one that this program cannot run. */
void architecture_read(struct architecture *a, struct container *c);
void architecture_free(struct architecture *a);

#endif
