/* Short names for rows of shapes' tables: for the files that hold such tables alone. clang-format
   is to be off around these. */
#ifndef SUNDOG_API_SHAPE_ROWS_H
#define SUNDOG_API_SHAPE_ROWS_H

#include "api/shape.h"

/* clang-format off */
#define T(n, lo, hi, fl)   {.name = n, .kind = SHAPE_TEXT, .flags = fl, .min = lo, .max = hi}
#define WORD(n, w, fl)     {.name = n, .kind = SHAPE_TEXT, .flags = fl, .max = 64, .words = w}
#define I(n, lo, hi, fl)   {.name = n, .kind = SHAPE_INT, .flags = fl, .min = lo, .max = hi}
#define NUMBER(n, fl)      {.name = n, .kind = SHAPE_NUMBER, .flags = fl}
#define B(n, fl)           {.name = n, .kind = SHAPE_BOOL, .flags = fl}
#define O(n, s, fl)        {.name = n, .kind = SHAPE_OBJECT, .flags = fl, .of = s}
#define L(n, s, hi, fl)    {.name = n, .kind = SHAPE_LIST, .flags = fl, .max = hi, .of = s}
#define TS(n, hi, fl)      {.name = n, .kind = SHAPE_TEXTS, .flags = fl, .max = hi}
#define MAP(n, hi, fl)     {.name = n, .kind = SHAPE_MAP, .flags = fl, .max = hi}
#define ANY(n, fl)         {.name = n, .kind = SHAPE_ANY, .flags = fl}
/* clang-format on */

#endif
