/* Matching names of actions and repositories, without allocation. */
#ifndef SUNDOG_AUTH_GLOB_H
#define SUNDOG_AUTH_GLOB_H

#include <stdbool.h>

/* "*" stands for any letters, "/" too; all others for themselves. any_case: A is a.
   question: "?" stands for any one letter. Time is at most pattern × text. */
bool glob_match(const char *pattern, const char *text, bool any_case, bool question);
/* Is path the scope, or below it, by whole segments? scope in lower case, "" for all. */
bool scope_contains(const char *scope, const char *path);

#endif
