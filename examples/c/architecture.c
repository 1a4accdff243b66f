/* SPDX-License-Identifier: BSD-3-Clause */
#include "architecture.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fail.h"

/* Where a layer stands, for messages and for the names of its tensors: "lstm." or "0."; "" for a model of one layer. */
struct place {
    struct container  *c;
    const struct json *json;
    char               prefix[200];
    const char        *dtype; /* "F32" or "F64" */
};

/* The options of a layer that inference knows: those without a value may have any. */
struct option {
    const char *name, *value;
};

static const struct option recurrent_options[] = {
    {"type", NULL},         {"input_size", NULL},  {"hidden_size", NULL}, {"num_layers", NULL},
    {"bias", NULL},         {"batch_first", NULL}, {"dropout", NULL},     {"bidirectional", "false"},
    {"recompute", NULL},    {"dtype", NULL},       {"zoneout", "0.0"},    {"recurrent_dropout", NULL},
    {"weight_drop", NULL},  {"delta_clip", NULL},  {"leak", "1.0"},       {"learn_initial_state", "false"},
    {"nonlinearity", NULL}, {"omega", NULL},       {"reset_after", NULL}, {NULL, NULL},
};
static const struct option linear_options[] = {{"type", NULL}, {"in_features", NULL}, {"out_features", NULL},
                                               {"bias", NULL}, {"dtype", NULL},       {NULL, NULL}};

_Noreturn static void refuse(const struct place *p, const char *problem, const char *what)
{
    const int length = (int)strlen(p->prefix); /* with a dot */
    if (!length)
        fail("%s: %s%s", p->c->path, problem, what);
    fail("%s: layer %.*s: %s%s", p->c->path, length - 1, p->prefix, problem, what);
}

static void check_options(const struct place *p, const struct option *options)
{
    for (const struct json *given = p->json->first; given; given = given->next) {
        const struct option *option = options;
        while (option->name && strcmp(option->name, given->key))
            option++;
        if (!option->name)
            refuse(p, "this program does not know the option ", given->key);
        if (option->value &&
            (strlen(option->value) != given->length || strncmp(option->value, given->text, given->length)))
            refuse(p, "this program cannot run a layer with the option ", given->key);
    }
}

static fr_idx size_option(const struct place *p, const char *name)
{
    const long long size = json_integer(json_get(p->json, name));
    if (size < 1)
        refuse(p, "expected a whole number above zero for the option ", name);
    return (fr_idx)size;
}

static int flag_option(const struct place *p, const char *name)
{
    const struct json *flag = json_get(p->json, name);
    if (!flag || (flag->kind != JSON_TRUE && flag->kind != JSON_FALSE))
        refuse(p, "expected true or false for the option ", name);
    return flag->kind == JSON_TRUE;
}

static void set_dtype(struct architecture *a, struct place *p)
{
    const struct json *dtype = json_get(p->json, "dtype");
    if (!json_is(dtype, "float32") && !json_is(dtype, "float64"))
        refuse(p, "expected float32 or float64 for the option ", "dtype");
    const fr_dtype own = json_is(dtype, "float32") ? FR_F32 : FR_F64;
    if (a->count && own != a->dtype)
        refuse(p, "this program runs layers of one dtype, got another after the first", "");
    a->dtype = own;
    p->dtype = own == FR_F32 ? "F32" : "F64";
}

/* The number of the cell that the library calls so. */
static fr_cell find_cell(const struct place *p, const char *name, fr_cell_info *info)
{
    for (int k = 0; fr_get_cell_info((fr_cell)k, info) == FR_OK; k++)
        if (!strcmp(info->name, name))
            return (fr_cell)k;
    refuse(p, "this version of the library has no cell ", name);
}

/* The cell of a recurrent layer, which its type and one option name. */
static fr_cell find_recurrent_cell(const struct place *p, fr_cell_info *info)
{
    const struct json *type = json_get(p->json, "type"), *nonlinearity = json_get(p->json, "nonlinearity");
    char               name[64];
    if (json_is(type, "LSTM"))
        return find_cell(p, "lstm", info);
    if (json_is(type, "GRU"))
        return find_cell(
            p, json_get(p->json, "reset_after") && !flag_option(p, "reset_after") ? "gru_reset_before" : "gru", info);
    if (!nonlinearity || nonlinearity->kind != JSON_STRING)
        refuse(p, "expected the option ", "nonlinearity");
    snprintf(name, sizeof name, "rnn_%s", nonlinearity->string);
    return find_cell(p, name, info);
}

static const void *tensor(const struct place *p, const char *name, int number, fr_idx rows, fr_idx columns)
{
    char full[256];
    if (number < 0)
        snprintf(full, sizeof full, "%s%s", p->prefix, name);
    else
        snprintf(full, sizeof full, "%s%s_l%d", p->prefix, name, number);
    return container_tensor(p->c, full, p->dtype, rows, columns);
}

/* Append a layer. It must read what the one before it gives. */
static void append(struct architecture *a, const struct place *p, struct layer layer)
{
    if (a->count && a->layers[a->count - 1].H != layer.I)
        refuse(p, "it does not read as many features as the layer before it gives", "");
    a->layers = realloc(a->layers, (size_t)(a->count + 1) * sizeof layer);
    if (!a->layers || a->count == INT_MAX - 1)
        fail("%s: not enough memory", p->c->path);
    a->layers[a->count++] = layer;
}

static void read_recurrent(struct architecture *a, struct place *p)
{
    check_options(p, recurrent_options);
    set_dtype(a, p);
    struct layer layer = {.I = size_option(p, "input_size"), .H = size_option(p, "hidden_size")};
    fr_cell_info info;
    layer.cell = find_recurrent_cell(p, &info);
    const fr_idx count = size_option(p, "num_layers"), rows = info.G * layer.H;
    const int    bias = flag_option(p, "bias");
    for (int k = 0; k < count; k++) {
        layer.w_ih = tensor(p, "weight_ih", k, rows, layer.I);
        layer.w_hh = tensor(p, "weight_hh", k, rows, layer.H);
        layer.b_ih = bias ? tensor(p, "bias_ih", k, rows, 0) : NULL;
        layer.b_hh = bias ? tensor(p, "bias_hh", k, rows, 0) : NULL;
        append(a, p, layer);
        layer.I = layer.H;
    }
}

static void read_linear(struct architecture *a, struct place *p)
{
    check_options(p, linear_options);
    set_dtype(a, p);
    struct layer layer = {.I = size_option(p, "in_features"), .H = size_option(p, "out_features")};
    fr_cell_info info;
    layer.cell = find_cell(p, "linear", &info);
    layer.w_ih = tensor(p, "weight", -1, layer.H, layer.I);
    layer.b_ih = flag_option(p, "bias") ? tensor(p, "bias", -1, layer.H, 0) : NULL;
    append(a, p, layer);
}

static void read_layer(struct architecture *a, struct place *p)
{
    const struct json *type = json_get(p->json, "type");
    if (json_is(type, "RNN") || json_is(type, "LSTM") || json_is(type, "GRU"))
        read_recurrent(a, p);
    else if (json_is(type, "Linear"))
        read_linear(a, p);
    else if (!json_is(type, "Dropout"))
        refuse(p, "this program runs RNN, LSTM, GRU and Linear, alone or in one Sequential, got ",
               type && type->kind == JSON_STRING ? type->string : "a layer of several places");
}

void architecture_read(struct architecture *a, struct container *c)
{
    struct place       p = {.c = c, .json = c->architecture};
    const struct json *layers = json_get(p.json, "layers"), *names = json_get(p.json, "names");
    const struct json *name = names ? names->first : NULL;
    *a = (struct architecture){.count = 0};
    if (!json_is(json_get(p.json, "type"), "Sequential")) {
        read_layer(a, &p);
    } else {
        p.json = layers && layers->kind == JSON_ARRAY ? layers->first : NULL;
        for (int k = 0; p.json; p.json = p.json->next, name = name ? name->next : NULL, k++) {
            if (names && (!name || name->kind != JSON_STRING || strlen(name->string) + 2 > sizeof p.prefix))
                fail("%s: architecture: expected a name of at most %zu bytes for each layer", c->path,
                     sizeof p.prefix - 2);
            if (names)
                snprintf(p.prefix, sizeof p.prefix, "%s.", name->string);
            else
                snprintf(p.prefix, sizeof p.prefix, "%d.", k);
            read_layer(a, &p);
        }
    }
    if (!a->count)
        fail("%s: architecture: expected at least one layer", c->path);
    container_finish(c);
}

void architecture_free(struct architecture *a) { free(a->layers); }
