#include "auth/scope.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct scope *scopes, *again;
    size_t n, n_again;
    struct op op;

    op_init(&op);
    if (scope_parse(&op, arena_strndup(&op.arena, data, size), &scopes, &n) == OK) {
        MUST(n <= 64);
        for (size_t i = 0; i < n; i++) {
            const char *text = arena_printf(&op.arena, "%s:%s:%s", scopes[i].type, scopes[i].name,
                                            scope_actions_text(&op, scopes[i].actions));

            MUST(*scopes[i].type && *scopes[i].name);
            MUST(scope_parse(&op, text, &again, &n_again) == OK && n_again == 1);
            MUST(strcmp(again->name, scopes[i].name) == 0 && again->actions == scopes[i].actions);
        }
    }
    op_free(&op);
    return 0;
}
