#include "auth/condition.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct condition *condition;
    struct op op;

    op_init(&op);
    if (condition_parse(&op, arena_strndup(&op.arena, data, size), &condition) == OK) {
        bool named = condition_holds(condition, "Microsoft.X/a/read", "team/app");

        MUST(named == condition_holds(condition, "Microsoft.X/a/read", "team/app"));
        condition_holds(condition, "", NULL);
    } else {
        MUST(op.fault == INVALID && op.message);
    }
    op_free(&op);
    return 0;
}
