/*
 * Forms that make a resource. A form is a table of fields, and a function that says what they
 * amount to: what the API is asked for, and the command that does the same. "Show" draws the page
 * again with that command and changes nothing; "Create" asks the API, and what it refuses stands
 * above the form with all that was typed.
 */
#ifndef SUNDOG_WEB_CREATE_H
#define SUNDOG_WEB_CREATE_H

#include "web/ask.h"

struct create_choice {
    const char *value, *text;
};
struct create_field {
    const char *name, *label;
    const char *begins_with; /* what a new form has in it */
    const char *hint;
    bool wide, lines;                    /* over the whole width; several lines */
    const struct create_choice *choices; /* end with value NULL */
    /* Those that are asked for: an array of [value, text], op's arena's. */
    enum fault (*list)(struct page *p, json_t **ret);
};

/* What the fields amount to. */
struct created {
    const char *path;           /* of a PUT */
    json_t *body;               /* op's arena's */
    const char *file, *content; /* that the command reads; NULL: none */
    const char *command;
    const char *said, *link; /* afterwards, and where */
    bool may_exist;          /* a PUT of one that is there already is refused otherwise */
};

struct create_form {
    const char *title;
    const struct create_field *fields; /* end with name NULL */
    const char *none, *next; /* when a list is empty: what is missing, and the command for it */
    /* INVALID: what is wrong with what was typed. */
    enum fault (*read)(struct call *c, const struct create_form *form, struct created *ret);
    /* Instead of going to link: a page of its own, answered to the POST. May be NULL. */
    enum fault (*done)(struct call *c, const struct created *made);
};

/* As typed, or what a new form has in it; never NULL. */
const char *create_value(struct call *c, const struct create_form *form, const char *name);
/* The same; INVALID when it is empty: "the name is missing". */
enum fault create_needed(struct call *c, const struct create_form *form, const char *name,
                         const char **ret);
/* A whole number. INVALID: it is none, from least to most. */
enum fault create_number(struct call *c, const struct create_form *form, const char *name,
                         int64_t least, int64_t most, int64_t *ret);

/* The field "group": resource groups where the viewer has the right `action`, as such a list. */
enum fault create_groups(struct page *p, const char *action, json_t **ret);
/* The one that was chosen. INVALID: none; NOT_FOUND. */
enum fault create_group(struct call *c, const struct create_form *form, const json_t **ret);

/* Handlers of the form's GET and POST. crumbs: as page_begin. */
enum fault create_page(struct call *c, const struct create_form *form, const struct crumb *crumbs);
enum fault create_post(struct call *c, const struct create_form *form, const struct crumb *crumbs);

/* Subscriptions where the viewer may make groups, as a field's list. */
enum fault resource_group_places(struct page *p, json_t **ret);
/* "Create a registry", as a link above a list. */
void create_link(struct page *p, const char *link, const char *text);
/* The same if there is a subscription or a group where the viewer has the right. */
enum fault create_link_in_groups(struct page *p, const char *action, const char *link,
                                 const char *text);

#endif
