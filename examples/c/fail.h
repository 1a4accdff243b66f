/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef FAIL_H
#define FAIL_H

/* Print a message as printf does, and end the program with code 1. */
_Noreturn void fail(const char *format, ...);

#endif
