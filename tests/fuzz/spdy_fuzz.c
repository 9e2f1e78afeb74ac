/* Frames of a hostile client: the first byte says in what steps they come. */
#include <stdlib.h>
#include <string.h>

#include "clusters/http/spdy.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct spdy_reader reader;
    size_t step = size ? (size_t)data[0] + 1 : 1, given = 0, got = 0;
    bool over = false;

    spdy_reader_init(&reader);
    for (size_t at = 1; at < size; at += step) {
        struct bytes in = {data + at, size - at < step ? size - at : step};
        struct spdy_event e;

        given += in.len;
        while ((e = spdy_read(&reader, &in)).kind != SPDY_MORE) {
            if (over)
                MUST(false); /* after the end nothing comes */
            over = e.kind == SPDY_BROKEN;
            got += e.data.len;
            for (size_t i = 0; i < e.n_headers; i++)
                MUST(strlen(e.headers[i].name) + strlen(e.headers[i].value) < SPDY_BLOCK_MAX);
            MUST(e.n_headers <= SPDY_HEADERS_MAX);
        }
    }
    MUST(got <= given);
    spdy_reader_free(&reader);
    return 0;
}
