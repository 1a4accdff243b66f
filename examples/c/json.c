/* SPDX-License-Identifier: BSD-3-Clause */
#include "json.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

/* Nodes and strings have an array each, which is large enough for any text of this length. The nodes are first: the
 * tree begins where the memory does. */
struct parser {
    const char  *at, *end;
    struct json *node;
    char        *string;
    int          depth;
    const char  *problem;
};

static struct json *parse_value(struct parser *p);

static void *refuse(struct parser *p, const char *problem)
{
    p->problem = problem;
    return NULL;
}

static void skip_spaces(struct parser *p)
{
    while (p->at < p->end && *p->at && strchr(" \t\r\n", *p->at))
        p->at++;
}

/* Whether `c` comes next; it is read then. */
static int read_char(struct parser *p, char c)
{
    skip_spaces(p);
    if (p->at == p->end || *p->at != c)
        return 0;
    p->at++;
    return 1;
}

/* Four hexadecimal digits, or -1. */
static long read_hex(struct parser *p)
{
    long value = 0;
    if (p->end - p->at < 4)
        return -1;
    for (int k = 0; k < 4; k++) {
        const char *digits = "0123456789abcdef0123456789ABCDEF", *digit = *p->at ? strchr(digits, *p->at++) : NULL;
        if (!digit)
            return -1;
        value = value * 16 + (digit - digits) % 16;
    }
    return value;
}

static void write_utf8(struct parser *p, long code)
{
    static const struct {
        long limit;
        int  lead, more; /* bits of the first byte; bytes after it */
    } forms[] = {{0x80, 0, 0}, {0x800, 0xC0, 1}, {0x10000, 0xE0, 2}, {0x110000, 0xF0, 3}};
    int k = 0;
    while (code >= forms[k].limit)
        k++;
    *p->string++ = (char)(forms[k].lead | (int)(code >> 6 * forms[k].more));
    for (int more = forms[k].more; more-- > 0;)
        *p->string++ = (char)(0x80 | (int)(code >> 6 * more & 0x3F));
}

/* What follows \u: one code, or the two of a pair. Returns whether it is one. */
static int read_unicode(struct parser *p)
{
    long code = read_hex(p);
    if (code >= 0xD800 && code < 0xDC00 && p->end - p->at > 1 && p->at[0] == '\\' && p->at[1] == 'u') {
        p->at += 2;
        const long low = read_hex(p);
        code = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : -1;
    }
    if (code < 1 || (code >= 0xD800 && code < 0xE000))
        return 0;
    write_utf8(p, code);
    return 1;
}

/* A string behind its first quote, or NULL. */
static const char *read_string(struct parser *p)
{
    const char *start = p->string;
    while (p->at < p->end && *p->at != '"') {
        const char c = *p->at++;
        if ((unsigned char)c < 0x20)
            return refuse(p, "a control character in a string");
        if (c != '\\') {
            *p->string++ = c;
            continue;
        }
        const char *escapes = "\"\\/bfnrt", *escape = p->at < p->end && *p->at ? strchr(escapes, *p->at) : NULL;
        if (escape) {
            *p->string++ = "\"\\/\b\f\n\r\t"[escape - escapes];
            p->at++;
        } else if (p->at == p->end || *p->at++ != 'u' || !read_unicode(p)) {
            return refuse(p, "an unknown escape in a string");
        }
    }
    if (p->at == p->end)
        return refuse(p, "a string without an end");
    p->at++;
    *p->string++ = '\0';
    return start;
}

/* The values of an array, or the members of an object, up to `close`. */
static struct json *parse_inner(struct parser *p, struct json *node, char close)
{
    struct json **link = &node->first;
    if (p->depth++ == MAX_DEPTH)
        return refuse(p, "nested too deeply");
    for (int count = 0; !read_char(p, close); count++) {
        const char *key = NULL;
        if (count == JSON_MAX_VALUES)
            return refuse(p, "too many values");
        if (node->first && !read_char(p, ','))
            return refuse(p, "a comma is missing");
        if (close == '}' && (!read_char(p, '"') || !(key = read_string(p)) || !read_char(p, ':')))
            return refuse(p, "a name with a colon is missing");
        if (key && json_get(node, key))
            return refuse(p, "a name comes twice");
        if (!(*link = parse_value(p)))
            return NULL;
        (*link)->key = key;
        link = &(*link)->next;
    }
    p->depth--;
    return node;
}

static struct json *parse_number(struct parser *p, struct json *node)
{
    char  digits[64];
    char *stop;
    while (p->at < p->end && *p->at && strchr("+-.0123456789eE", *p->at))
        p->at++;
    const size_t length = (size_t)(p->at - node->text);
    if (!length || length >= sizeof digits)
        return refuse(p, "no value, or a number that is too long");
    memcpy(digits, node->text, length);
    digits[length] = '\0';
    node->kind = JSON_NUMBER;
    node->number = strtod(digits, &stop);
    return *stop ? refuse(p, "a number that is none") : node;
}

static struct json *parse_word(struct parser *p, struct json *node)
{
    static const char *const words[] = {[JSON_NULL] = "null", [JSON_FALSE] = "false", [JSON_TRUE] = "true"};
    for (int kind = JSON_NULL; kind <= JSON_TRUE; kind++) {
        const size_t length = strlen(words[kind]);
        if ((size_t)(p->end - p->at) >= length && !memcmp(p->at, words[kind], length)) {
            node->kind = (enum json_kind)kind;
            p->at += length;
            return node;
        }
    }
    return parse_number(p, node);
}

static struct json *parse_value(struct parser *p)
{
    struct json *node = p->node++;
    skip_spaces(p);
    node->text = p->at;
    if (read_char(p, '"')) {
        node->kind = JSON_STRING;
        node->string = read_string(p);
    } else if (read_char(p, '[')) {
        node->kind = JSON_ARRAY;
        parse_inner(p, node, ']');
    } else if (read_char(p, '{')) {
        node->kind = JSON_OBJECT;
        parse_inner(p, node, '}');
    } else {
        parse_word(p, node);
    }
    node->length = (size_t)(p->at - node->text);
    return p->problem ? NULL : node;
}

struct json *json_parse(const char *text, size_t length, const char **problem)
{
    const size_t  nodes = length / 2 + MAX_DEPTH + 2; /* two characters each, but for brackets that are not closed */
    struct parser p = {.at = text, .end = text + length};
    struct json  *tree = calloc(1, nodes * sizeof *tree + length + 1);
    p.node = tree;
    p.string = (char *)(tree + nodes);
    if (!tree)
        p.problem = "not enough memory";
    else if (parse_value(&p) && (skip_spaces(&p), p.at != p.end))
        p.problem = "more than one value";
    if (p.problem) {
        free(tree);
        tree = NULL;
    }
    *problem = p.problem;
    return tree;
}

void json_free(struct json *tree) { free(tree); }

const struct json *json_get(const struct json *object, const char *key)
{
    const struct json *value = object && object->kind == JSON_OBJECT ? object->first : NULL;
    while (value && strcmp(value->key, key))
        value = value->next;
    return value;
}

int json_is(const struct json *value, const char *string)
{
    return value && value->kind == JSON_STRING && !strcmp(value->string, string);
}

long long json_integer(const struct json *value)
{
    if (!value || value->kind != JSON_NUMBER || !(value->number >= 0 && value->number <= 9007199254740992.0))
        return -1;
    const long long integer = (long long)value->number;
    return (double)integer == value->number ? integer : -1;
}
