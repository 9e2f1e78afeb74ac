/* Frames of a hostile client: the first byte says in what steps they come. */
#include <stdlib.h>

#include "core/websocket.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct websocket_reader reader = {.message_max = 70000};
    size_t step = size ? (size_t)data[0] + 1 : 1, given = 0, got = 0;
    bool over = false;

    for (size_t at = 1; at < size; at += step) {
        struct bytes in = {data + at, size - at < step ? size - at : step};
        struct websocket_event e;

        given += in.len;
        while ((e = websocket_read(&reader, &in)).kind != WEBSOCKET_MORE) {
            if (over)
                MUST(false); /* after the end nothing comes */
            over = e.kind == WEBSOCKET_CLOSED || e.kind == WEBSOCKET_BROKEN;
            got += e.data.len;
            for (size_t i = 0; i < e.data.len; i++)
                got += ((const uint8_t *)e.data.data)[i] >> 9;
        }
    }
    if (got > given)
        abort();
    return 0;
}
