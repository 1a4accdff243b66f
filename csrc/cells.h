/* SPDX-License-Identifier: BSD-3-Clause
 *
 * cells.h - the cells, a row each. Everything that lists them is made from these rows: the enum (fastrnn.h), the loops
 * around the pointwise functions and the table (engine/cell.h). An includer defines CELL, and STAGE where it is used.
 *
 *     CELL(code, name, activation, gates, has_c, stages)
 *
 *         code, name    FR_<code> in C, the name in messages and in Python
 *         activation    of a plain recurrent cell, else NULL
 *         gates         the letters of the gates in the equations, in PyTorch's order; "" for a cell of one sum
 *         has_c         the state is (h, c), not h alone
 *         stages        one or two
 *
 *     STAGE(code, k, functions, members)
 *
 *         k             this is stage k of FR_<code>
 *         functions     what the names of its pointwise functions begin with (engine/cell_*.h)
 *         members       of struct stage (engine/cell.h) */

/* clang-format off */
CELL(RNN_TANH,     "rnn_tanh",     "tanh",     "", 0,
     STAGE(RNN_TANH, 0, rnn_tanh, .S = 1, .Gx = 1, .Gh = 1, .ub = 2, .operand = H_PREV))
CELL(RNN_RELU,     "rnn_relu",     "relu",     "", 0,
     STAGE(RNN_RELU, 0, rnn_relu, .S = 1, .Gx = 1, .Gh = 1, .ub = 2, .operand = H_PREV))
CELL(RNN_SIGMOID,  "rnn_sigmoid",  "sigmoid",  "", 0,
     STAGE(RNN_SIGMOID, 0, rnn_sigmoid, .S = 1, .Gx = 1, .Gh = 1, .ub = 2, .operand = H_PREV))
CELL(RNN_SELU,     "rnn_selu",     "selu",     "", 0,
     STAGE(RNN_SELU, 0, rnn_selu, .S = 1, .Gx = 1, .Gh = 1, .ub = 2, .operand = H_PREV))
CELL(RNN_IDENTITY, "rnn_identity", "identity", "", 0,
     STAGE(RNN_IDENTITY, 0, rnn_identity, .S = 1, .Gx = 1, .Gh = 1, .ub = 2, .operand = H_PREV))

CELL(LSTM, "lstm", NULL, "ifgo", 1,
     STAGE(LSTM, 0, lstm, .S = 4, .Gx = 4, .gate_x = {0, 1, 2, 3}, .Gh = 4, .gate_h = {0, 1, 2, 3}, .ub = 1,
           .operand = H_PREV))

/* reset after the product: PyTorch */
CELL(GRU, "gru", NULL, "rzn", 0,
     STAGE(GRU, 0, gru, .S = 4, .Gx = 3, .gate_x = {2, 0, 1}, .h0 = 1, .Gh = 3, .gate_h = {0, 1, 2}, .ub = 1,
           .operand = H_PREV))

/* reset before it: Cho et al. 2014 */
CELL(GRU_RESET_BEFORE, "gru_reset_before", NULL, "rzn", 0,
     STAGE(GRU_RESET_BEFORE, 0, gru_reset, .S = 3, .Gx = 2, .gate_x = {0, 1}, .Gh = 2, .gate_h = {0, 1}, .ub = 2,
           .operand = H_PREV)
     STAGE(GRU_RESET_BEFORE, 1, gru_candidate, .S = 1, .block = 3, .Gx = 1, .gate_x = {2}, .Gh = 1, .gate_h = {2},
           .ub = 2, .operand = 2))

/* y = x W^T + b: no recurrent weights, nothing remembered */
CELL(LINEAR, "linear", NULL, "", 0,
     STAGE(LINEAR, 0, rnn_identity, .S = 1, .Gx = 1, .ub = 4, .operand = H_PREV))
/* clang-format on */
