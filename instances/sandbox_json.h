/* What sandboxes and containers are asked for, as it crosses from the server to what holds root,
   which believes nothing of it. */
#ifndef SUNDOG_INSTANCES_SANDBOX_JSON_H
#define SUNDOG_INSTANCES_SANDBOX_JSON_H

#include <jansson.h>

#include "instances/sandbox.h"

bool sandbox_id_valid(const char *id);
bool container_name_valid(const char *name);

/* INVALID: a text is not UTF-8. The JSON is op's. */
enum fault sandbox_spec_write(struct op *op, const struct sandbox_spec *spec, json_t **ret);
enum fault container_spec_write(struct op *op, const struct container_spec *spec, json_t **ret);
enum fault volume_spec_write(struct op *op, const struct volume_spec *volume, json_t **ret);
enum fault exec_spec_write(struct op *op, const struct exec_spec *spec, json_t **ret);

/* INVALID names the member. What they point to is op's, and lives as long as the JSON. */
enum fault sandbox_spec_read(struct op *op, const json_t *json, struct sandbox_spec *ret);
enum fault container_spec_read(struct op *op, const json_t *json, struct container_spec *ret);
enum fault volume_spec_read(struct op *op, const json_t *json, struct volume_spec *ret);
enum fault exec_spec_read(struct op *op, const json_t *json, struct exec_spec *ret);
/* The member, checked. A node's name stays when it is absent and not required. */
enum fault node_name_read(struct op *op, const json_t *json, const char *member, bool required,
                          const char **ret);
enum fault sandbox_id_read(struct op *op, const json_t *json, const char *member, const char **ret);
enum fault container_name_read(struct op *op, const json_t *json, const char *member,
                               const char **ret);

#endif
