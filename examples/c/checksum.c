/* SPDX-License-Identifier: BSD-3-Clause */
#include "checksum.h"

#include <string.h>

uint32_t checksum(uint32_t crc, const void *bytes, size_t count)
{
    static uint32_t table[256];
    for (uint32_t k = 0; !table[255] && k < 256; k++) {
        uint32_t remainder = k;
        for (int bit = 0; bit < 8; bit++)
            remainder = remainder >> 1 ^ (remainder & 1 ? 0xEDB88320u : 0);
        table[k] = remainder;
    }
    const unsigned char *at = bytes;
    crc = ~crc;
    while (count--)
        crc = crc >> 8 ^ table[(crc ^ *at++) & 0xFF];
    return ~crc;
}

static uint32_t checksum_text(uint32_t crc, const char *text) { return checksum(crc, text, strlen(text)); }

/* The member that follows another by name; NULL: the first, and after the last. */
static const struct json *next_member(const struct json *object, const struct json *after)
{
    const struct json *next = NULL;
    for (const struct json *member = object->first; member; member = member->next)
        if ((!after || strcmp(member->key, after->key) > 0) && (!next || strcmp(member->key, next->key) < 0))
            next = member;
    return next;
}

uint32_t checksum_json(uint32_t crc, const struct json *value)
{
    const int is_object = value->kind == JSON_OBJECT;
    if (!is_object && value->kind != JSON_ARRAY)
        return checksum(crc, value->text, value->length); /* as Python wrote it */
    crc = checksum_text(crc, is_object ? "{" : "[");
    const struct json *first = is_object ? next_member(value, NULL) : value->first;
    for (const struct json *item = first; item; item = is_object ? next_member(value, item) : item->next) {
        crc = checksum_text(crc, item == first ? "" : ", ");
        if (is_object) { /* the names of options have no characters that JSON escapes */
            crc = checksum_text(crc, "\"");
            crc = checksum_text(crc, item->key);
            crc = checksum_text(crc, "\": ");
        }
        crc = checksum_json(crc, item);
    }
    return checksum_text(crc, is_object ? "}" : "]");
}
