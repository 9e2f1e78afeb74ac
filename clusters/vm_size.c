/* Azure's names say the cores; memory follows from the family. */
#include "clusters/vm_size.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define GIB INT64_C(1073741824)

/* The old D and A series, whose number is not their cores. */
static const struct {
    const char *name;
    int64_t cores, memory_mib;
} named[] = {
    {"DS1_v2",  1,  3584 },
    {"DS2_v2",  2,  7168 },
    {"DS3_v2",  4,  14336},
    {"DS4_v2",  8,  28672},
    {"DS5_v2",  16, 57344},
    {"D1_v2",   1,  3584 },
    {"D2_v2",   2,  7168 },
    {"D3_v2",   4,  14336},
    {"D4_v2",   8,  28672},
    {"D5_v2",   16, 57344},
    {"DS11_v2", 2,  14336},
    {"DS12_v2", 4,  28672},
    {"DS13_v2", 8,  57344},
    {"B1s",     1,  1024 },
    {"B1ms",    1,  2048 },
    {"B2s",     2,  4096 },
    {"B2ms",    2,  8192 },
    {"B4ms",    4,  16384},
};

/* GiB per core: compute, general, memory, … */
static int64_t per_core(char family)
{
    switch (family) {
    case 'F':
        return 2;
    case 'E':
    case 'L':
        return 8;
    case 'M':
        return 28;
    case 'N':
        return 7;
    default:
        return strchr("ABDGH", family) ? 4 : 0;
    }
}

static char upper(char c)
{
    return (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
}

bool vm_size_find(const char *name, struct vm_size *ret)
{
    static const char prefix[] = "Standard_";
    int64_t cores = 0;
    char family;

    if (strncasecmp(name, prefix, sizeof(prefix) - 1) != 0)
        return false;
    name += sizeof(prefix) - 1;
    for (size_t i = 0; i < sizeof(named) / sizeof(*named); i++)
        if (strcasecmp(named[i].name, name) == 0) {
            *ret = (struct vm_size){named[i].cores, named[i].memory_mib << 20};
            return true;
        }
    family = upper(*name);
    while (upper(*name) >= 'A' && upper(*name) <= 'Z')
        name++;
    for (; *name >= '0' && *name <= '9' && cores < 1000; name++)
        cores = cores * 10 + (*name - '0');
    if (!family || !per_core(family) || cores < 1 || cores > 512)
        return false;
    *ret = (struct vm_size){cores, cores * per_core(family) * GIB};
    return true;
}
