#include "instances/image.h"
#include "registry/names.h"
#include "tests/fuzz/fuzz.h"

/* What is taken for an image's name holds nothing that a URL or a path could stumble over. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct settings settings = {
        .listen = {"127.0.0.1:8443", "[::1]:8443"},
        .plain_listen = {"*:8480"               },
        .tls_names = {"sundog.test"},
        .public_url = "https://cloud.example"
    };
    static const char *const addresses[] = {"127.0.0.1:8443", "[::1]:8443", "0.0.0.0:8480", NULL};
    struct image_name name;
    struct op op;
    char *text;

    op_init(&op);
    image_name_start(&settings, addresses);
    text = arena_strndup(&op.arena, data, size);
    if (image_name_parse(&op, text, &name) == OK) {
        MUST(repository_name_is_valid(name.repository));
        MUST(tag_is_valid(name.reference) || digest_is_valid(name.reference));
        MUST(*name.host && strlen(name.host) <= 255 && !strpbrk(name.host, "/@?#\\ %\r\n_"));
        MUST(!name.registry || registry_name_is_valid(name.registry));
        MUST(image_server_is(&op, name.host, &name));
    } else {
        MUST(op.noun && strcmp(op.noun, "image") == 0);
    }
    op_free(&op);
    return 0;
}
