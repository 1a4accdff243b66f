/* SPDX-License-Identifier: BSD-3-Clause */
#define _POSIX_C_SOURCE 200809L /* stat */
#include "container.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checksum.h"
#include "fail.h"

#if defined __BYTE_ORDER__ && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "container.c: expected a little-endian machine; on others the tensors have to be turned"
#endif

enum { MAX_HEADER = 1 << 22 }; /* bytes, as in Python */

static struct json *parse(const struct container *c, const char *what, const char *text, size_t length)
{
    const char  *problem;
    struct json *tree = json_parse(text, length, &problem);
    if (!tree)
        fail("%s: %s: not JSON (%s)", c->path, what, problem);
    return tree;
}

/* The whole file; returns its size. */
static size_t read_file(struct container *c)
{
    struct stat about;
    if (stat(c->path, &about) || !S_ISREG(about.st_mode))
        fail("%s: expected a model that fastrnn.save wrote, got no regular file", c->path);
    const size_t size = (size_t)about.st_size;
    FILE        *file = fopen(c->path, "rb");
    c->bytes = malloc(size + 1);
    if (!file || !c->bytes || fread(c->bytes, 1, size, file) != size)
        fail("%s: cannot be read", c->path);
    fclose(file);
    return size;
}

/* Where a tensor begins and ends, after a check that it lies in the file and has as many bytes as its shape needs. */
static void find_tensor(const struct container *c, const struct json *entry, size_t *begin, size_t *end)
{
    const struct json *offsets = json_get(entry, "data_offsets"), *shape = json_get(entry, "shape");
    const struct json *dtype = json_get(entry, "dtype");
    const long long    from = json_integer(offsets ? offsets->first : NULL);
    const long long    to = json_integer(offsets && offsets->first ? offsets->first->next : NULL);
    if (from < 0 || to < from || (unsigned long long)to > c->tensor_bytes || !shape || shape->kind != JSON_ARRAY)
        fail("%s: tensor %s: expected a shape, and offsets in %zu bytes; truncated, or not a safetensors file", c->path,
             entry->key, c->tensor_bytes);
    long long bytes = json_is(dtype, "F32") ? 4 : json_is(dtype, "F64") ? 8 : 0;
    for (const struct json *n = shape->first; n; n = n->next) {
        const long long size = json_integer(n);
        if (size < 0 || (size > 0 && bytes > INT64_MAX / size))
            fail("%s: tensor %s: a size is out of range", c->path, entry->key);
        bytes *= size;
    }
    if (!json_is(dtype, "F32") && !json_is(dtype, "F64"))
        fail("%s: tensor %s: expected a dtype F32 or F64", c->path, entry->key);
    if (bytes != to - from)
        fail("%s: tensor %s: expected %lld bytes for its shape, got %lld", c->path, entry->key, bytes, to - from);
    *begin = (size_t)from;
    *end = (size_t)to;
}

/* The entry "fastrnn" of the metadata: which model this is. */
static void read_about(struct container *c)
{
    const struct json *text = json_get(json_get(c->header, "__metadata__"), "fastrnn");
    if (!text || text->kind != JSON_STRING)
        fail("%s: expected a model that fastrnn.save wrote, got a safetensors file of another program", c->path);
    c->about = parse(c, "metadata", text->string, strlen(text->string));
    const struct json *format = json_get(c->about, "format");
    if (format && format->kind == JSON_STRING && !strncmp(format->string, "checkpoint", 10))
        fail("%s: expected a model that fastrnn.save wrote, got a checkpoint of a training", c->path);
    if (!json_is(format, "1"))
        fail("%s: expected format \"1\", got another: written by another version of fastrnn", c->path);
    c->architecture = json_get(c->about, "architecture");
    if (!c->architecture || c->architecture->kind != JSON_OBJECT)
        fail("%s: architecture: expected an object", c->path);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const struct json *const *)a)->key, (*(const struct json *const *)b)->key);
}

/* Fail unless the tensors fill the file, and it has the checksum of the architecture and of them, by name. */
static void check(const struct container *c)
{
    static const struct json *entries[JSON_MAX_VALUES];
    char                      crc32[9];
    size_t                    count = 0, begin, end, last = 0;
    for (const struct json *entry = c->header->first; entry; entry = entry->next)
        if (strcmp(entry->key, "__metadata__"))
            entries[count++] = entry;
    qsort(entries, count, sizeof *entries, compare_names);
    uint32_t crc = checksum_json(0, c->architecture);
    for (size_t k = 0; k < count; k++) {
        find_tensor(c, entries[k], &begin, &end);
        crc = checksum(crc, c->tensors + begin, end - begin);
        last = end > last ? end : last;
    }
    if (last != c->tensor_bytes)
        fail("%s: truncated, or with an appendix: expected %zu bytes of tensors, got %zu", c->path, last,
             c->tensor_bytes);
    snprintf(crc32, sizeof crc32, "%08lx", (unsigned long)crc);
    if (!json_is(json_get(c->about, "crc32"), crc32))
        fail("%s: the checksum differs: the file is damaged", c->path);
}

void container_read(struct container *c, const char *path)
{
    *c = (struct container){.path = path};
    const size_t size = read_file(c);
    uint64_t     length = 0;
    for (size_t k = 8; k-- > 0 && size >= 8;)
        length = length << 8 | c->bytes[k];
    if (length < 2 || size < 8 || length > size - 8 || length > MAX_HEADER)
        fail("%s: truncated, or not a safetensors file: a header of %llu bytes in %zu bytes", path,
             (unsigned long long)length, size);
    c->tensors = c->bytes + 8 + length;
    c->tensor_bytes = size - 8 - (size_t)length;
    c->header = parse(c, "header", (const char *)c->bytes + 8, (size_t)length);
    if (c->header->kind != JSON_OBJECT)
        fail("%s: header: expected an object", path);
    read_about(c);
    check(c);
}

void container_free(struct container *c)
{
    json_free(c->header);
    json_free(c->about);
    free(c->bytes);
}

const void *container_tensor(struct container *c, const char *name, const char *dtype, long long rows,
                             long long columns)
{
    const struct json *entry = json_get(c->header, name), *shape = json_get(entry, "shape");
    size_t             begin, end;
    if (!entry)
        fail("%s: tensor %s: the architecture has it, the file does not", c->path, name);
    find_tensor(c, entry, &begin, &end);
    const struct json *second = shape->first ? shape->first->next : NULL;
    const int          fits =
        json_integer(shape->first) == rows && (columns ? json_integer(second) == columns && !second->next : !second);
    if (!fits || !json_is(json_get(entry, "dtype"), dtype))
        fail("%s: tensor %s: expected %s of shape (%lld, %lld), got another (a vector has 0 columns)", c->path, name,
             dtype, rows, columns);
    if ((uintptr_t)(c->tensors + begin) % (dtype[1] == '3' ? 4 : 8))
        fail("%s: tensor %s: not at a multiple of the size of its elements", c->path, name);
    c->used++;
    return c->tensors + begin;
}

void container_finish(const struct container *c)
{
    size_t count = 0;
    for (const struct json *entry = c->header->first; entry; entry = entry->next)
        count += strcmp(entry->key, "__metadata__") != 0;
    if (count != c->used)
        fail("%s: %zu tensors that the architecture does not have", c->path, count - c->used);
}
