/* What the fuzzers share: each gives its parser an op and the bytes as a NUL-terminated string. */
#ifndef SUNDOG_TESTS_FUZZ_H
#define SUNDOG_TESTS_FUZZ_H

#include <stdlib.h>
#include <string.h>

#include "core/op.h"

/* libFuzzer's entry. fuzz-replay compiles each under the name of its file (tests/CMakeLists.txt).
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A bug that is no memory error. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition))                                                                          \
            abort();                                                                               \
    } while (0)

#endif
