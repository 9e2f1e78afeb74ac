/* What a real server answered, recorded (facts/kubernetes.md): files in
 * tests/unit/clusters/golden/. */
#ifndef SUNDOG_TESTS_UNIT_CLUSTERS_GOLDEN_H
#define SUNDOG_TESTS_UNIT_CLUSTERS_GOLDEN_H

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* "discovery_api.json" as a tree of the caller's; NULL fails the test that uses it. */
static inline json_t *golden(const char *name)
{
    const char *here = __FILE__, *slash = strrchr(here, '/');
    char path[4096];

    snprintf(path, sizeof(path), "%.*s/golden/%s", (int)(slash - here), here, name);
    return json_load_file(path, 0, NULL);
}

#endif
