#include "registry/manifest.h"

#include "registry/names.h"
#include "tests/fuzz/fuzz.h"

/* The first line is the Content-Type, the rest the manifest. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *line = memchr(data, '\n', size);
    size_t type_len = line ? (size_t)(line - data) : 0;
    struct bytes content = {data, size};
    struct manifest m;
    struct op op;

    op_init(&op);
    if (line)
        content = (struct bytes){line + 1, size - type_len - 1};
    if (manifest_parse(&op, line ? arena_strndup(&op.arena, data, type_len) : NULL, content, &m) ==
        OK) {
        for (size_t i = 0; i < m.n_blobs; i++)
            MUST(digest_is_valid(m.blobs[i]) && (i == 0 || strcmp(m.blobs[i - 1], m.blobs[i]) < 0));
        for (size_t i = 0; i < m.n_children; i++)
            MUST(digest_is_valid(m.children[i].digest));
        MUST(m.image_size >= 0 && m.media_type);
        MUST(!m.subject || digest_is_valid(m.subject));
    } else {
        MUST(op.fault == INVALID && op.message && strcmp(op.noun, "manifest") == 0);
    }
    manifest_platform(&op, content, &m);
    op_free(&op);
    return 0;
}
