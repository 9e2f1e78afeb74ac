/*
 * Copying a struct and all it points to into one piece of memory: run the same code twice, first
 * with at NULL to learn the size, then to fill it. For what is kept in memory by reference count.
 */
#ifndef SUNDOG_REGISTRY_PACK_H
#define SUNDOG_REGISTRY_PACK_H

#include "core/op.h"

struct packer {
    char *at; /* NULL: only count */
    size_t size;
};

/* A copy within the piece, aligned for any type; NULL while counting. */
void *pack(struct packer *p, const void *data, size_t size);
const char *pack_text(struct packer *p, const char *s); /* NULL stays NULL */
const char *const *pack_texts(struct packer *p, const char *const *list, size_t n);

#endif
