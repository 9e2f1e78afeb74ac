#include "registry/names.h"
#include "registry/target.h"
#include "tests/fuzz/fuzz.h"

/* What is taken for a name holds nothing that a path, a header or a file name could stumble over.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct target target;
    struct op op;
    char *text;

    op_init(&op);
    text = arena_strndup(&op.arena, data, size);
    if (repository_name_is_valid(text))
        MUST(strlen(text) <= 255 && !strstr(text, "..") && !strstr(text, "//") &&
             !strpbrk(text, "\\: %\"\r\n") && text[0] != '/');
    if (tag_is_valid(text))
        MUST(strlen(text) <= 128 && !strpbrk(text, "/\\: %\"\r\n") && text[0] != '.');
    if (digest_is_valid(text))
        MUST(reference_is_digest(text) && !strpbrk(text, "/.\\") && !tag_is_valid(text));
    if (uuid_is_valid(text))
        MUST(strlen(text) == 36 && !strpbrk(text, "/.\\"));
    if (target_find(&op, "localhost:8480", text, &target) == OK && target.repository)
        MUST(registry_name_is_valid(target.registry_name) &&
             repository_name_is_valid(target.repository));
    op_clear_fault(&op);
    target_find(&op, text, "team/app", &target);
    op_free(&op);
    return 0;
}
