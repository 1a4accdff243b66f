/* SPDX-License-Identifier: BSD-3-Clause
 *
 * container.h - a file that fastrnn.save wrote, a safetensors file:
 *
 *     8 bytes   the length of the header, little-endian
 *     header    JSON: {"__metadata__": {"fastrnn": ABOUT, ..}, TENSOR: {"dtype": "F32", "shape": [..],
 *               "data_offsets": [begin, end]}, ..}, offsets from the end of the header
 *     tensors   little-endian, row-major
 *
 * ABOUT is JSON in a string: {"format": "1", "version": .., "architecture": {"type": "LSTM", ..}, "crc32": ..}. */
#ifndef CONTAINER_H
#define CONTAINER_H

#include <stddef.h>

#include "json.h"

struct container {
    const char          *path;
    unsigned char       *bytes; /* of the file */
    const unsigned char *tensors;
    size_t               tensor_bytes;
    struct json         *header, *about;
    const struct json   *architecture; /* in about */
    size_t               used;         /* how many tensors container_tensor has found */
};

/* Read a file and compare its checksum, or fail. */
void container_read(struct container *c, const char *path);
void container_free(struct container *c);

/* The tensor of a name with this many elements of `dtype`, "F32" or "F64", and of this shape, or fail. columns = 0: a
 * vector of `rows`. */
const void *container_tensor(struct container *c, const char *name, const char *dtype, long long rows,
                             long long columns);

/* Fail if there are tensors that nobody has asked for. */
void container_finish(const struct container *c);

#endif
