/* SPDX-License-Identifier: BSD-3-Clause
 *
 * model.h - a model that reads one step per call: the calls of fastrnn.h that a program needs. */
#ifndef MODEL_H
#define MODEL_H

#include "architecture.h"
#include "fastrnn.h"

struct model {
    fr_stack         stack;
    fr_layer        *layers;
    fr_forward_args *args;                          /* of each layer: packed weights and state */
    char            *memory;                        /* packed weights, then the states, then the workspace */
    size_t           states, states_end, workspace; /* offsets in it */
    fr_idx           I, O;
};

/* Pack the weights for an engine. The architecture, and the file that it was read from, are not needed any more then. */
void model_create(struct model *m, const struct architecture *a, int isa);
void model_free(struct model *m);

/* Begin a sequence: the states are zero. */
void model_reset(struct model *m);

/* Read x (I) and write y (O). Allocates nothing. */
void model_step(struct model *m, const void *x, void *y);

#endif
