/* SPDX-License-Identifier: BSD-3-Clause
 *
 * json.h - a JSON text as a tree. The text may say anything: what is not JSON, or nested deeper than any model, is
 * refused. */
#ifndef JSON_H
#define JSON_H

#include <stddef.h>

enum { JSON_MAX_VALUES = 20000 }; /* of one array or object */

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json {
    enum json_kind kind;
    const char    *key;  /* in an object: its name, else NULL */
    const char    *text; /* as it is written, `length` characters */
    size_t         length;
    const char    *string; /* of a string: what it stands for, in UTF-8; "\u0000" is refused */
    double         number;
    struct json   *first, *next; /* the values of an array or object; the next one beside this one */
};

/* The tree of `text`, whose memory must stay, or NULL with what is wrong in *problem. json_free frees the tree. */
struct json *json_parse(const char *text, size_t length, const char **problem);
void         json_free(struct json *tree);

/* The value of a key, or NULL: the object has none, or `object` is NULL or no object. */
const struct json *json_get(const struct json *object, const char *key);

/* Whether a value, which may be NULL, is this string. */
int json_is(const struct json *value, const char *string);

/* A whole number from 0 to 2^53, or -1. */
long long json_integer(const struct json *value);

#endif
