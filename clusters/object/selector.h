/* Label and field selectors. Parsed once per request, matched often. */
#ifndef SUNDOG_CLUSTERS_OBJECT_SELECTOR_H
#define SUNDOG_CLUSTERS_OBJECT_SELECTOR_H

#include "clusters/object/object.h"

struct selector; /* of labels */
/* "a=b,c!=d,e in (f,g),h,!i". INVALID in upstream's words. Lives in arena. "" and NULL select all.
 */
enum fault selector_parse(struct op *op, struct arena *arena, const char *text,
                          const struct selector **ret);
/* A LabelSelector {matchLabels, matchExpressions}. NULL or JSON null selects nothing, {} all. */
enum fault selector_of(struct op *op, struct arena *arena, const json_t *label_selector,
                       const struct selector **ret);
/* A map of labels (a Service's spec.selector); NULL or empty selects nothing. */
const struct selector *selector_of_map(struct arena *arena, const json_t *map);
bool selector_matches(const struct selector *selector, const json_t *labels /* may be NULL */);
bool selector_is_all(const struct selector *selector);

struct field_selector;
/* "metadata.name=x,status.phase!=Running": only fields that r knows (facts §5.6 item 2); INVALID
   names others: `field label not supported: foo`. */
enum fault field_selector_parse(struct op *op, struct arena *arena, const struct resource *r,
                                const char *text, const struct field_selector **ret);
bool field_selector_matches(const struct field_selector *selector, const json_t *tree);
/* metadata.name= or metadata.namespace= of it, for looking up directly; NULL. */
const char *field_selector_name(const struct field_selector *selector);
const char *field_selector_namespace(const struct field_selector *selector);

/* Is it a valid label key (prefix/name), label value, DNS-1123 label, subdomain, DNS-1035 label?
   NULL: yes; else upstream's sentence. */
const char *label_key_fault(const char *key);
const char *label_value_fault(const char *value);
const char *dns_label_fault(const char *name);
const char *dns_subdomain_fault(const char *name);
const char *dns_1035_fault(const char *name);

#endif
