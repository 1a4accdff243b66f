/* SPDX-License-Identifier: BSD-3-Clause
 *
 * checksum.h - the CRC-32 of zip and PNG, which fastrnn.save stores. It detects accidents, not intent. */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "json.h"

/* The checksum of what had checksum `crc`, which is 0 for nothing, and these bytes after it. */
uint32_t checksum(uint32_t crc, const void *bytes, size_t count);

/* The same of a value as Python's json.dumps(value, sort_keys=True) writes it. */
uint32_t checksum_json(uint32_t crc, const struct json *value);

#endif
