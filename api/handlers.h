/* Every handler of the resource manager's own routes (routes.c), by the file it stands in. */
#ifndef SUNDOG_API_HANDLERS_H
#define SUNDOG_API_HANDLERS_H

#include "core/call.h"

/* subscription_api.c */
enum fault tenant_list(struct call *c);
enum fault subscription_list(struct call *c);
enum fault subscription_get(struct call *c);
enum fault location_list(struct call *c);
enum fault alias_put(struct call *c);
enum fault alias_get(struct call *c);
enum fault alias_list(struct call *c);
enum fault alias_delete(struct call *c);
enum fault subscription_api_rename(struct call *c);
enum fault subscription_api_cancel(struct call *c);
enum fault subscription_api_enable(struct call *c);
/* provider_api.c */
enum fault provider_list(struct call *c);
enum fault provider_get(struct call *c);
enum fault provider_register(struct call *c);
enum fault provider_unregister(struct call *c);
enum fault provider_operations(struct call *c);
enum fault provider_operations_all(struct call *c);
enum fault provider_operations_one(struct call *c);
enum fault provider_types(struct call *c);
enum fault provider_permissions(struct call *c);
enum fault check_resource_name(struct call *c);
void provider_store_start(void);
/* group_api.c */
enum fault group_api_put(struct call *c);
enum fault group_api_patch(struct call *c);
enum fault group_api_get(struct call *c);
enum fault group_api_list(struct call *c);
enum fault group_api_delete(struct call *c);
/* resource_api.c */
enum fault resource_api_list(struct call *c);
/* move.c */
enum fault resource_move(struct call *c);
enum fault resource_validate_move(struct call *c);
/* tags_api.c, tag_names_api.c */
enum fault tags_get(struct call *c);
enum fault tags_put(struct call *c);
enum fault tags_patch(struct call *c);
enum fault tags_delete(struct call *c);
enum fault tag_name_list(struct call *c);
enum fault tag_name_put(struct call *c);
enum fault tag_name_delete(struct call *c);
enum fault tag_value_put(struct call *c);
enum fault tag_value_delete(struct call *c);
void tag_names_start(void);
/* lock_api.c */
enum fault lock_api_put(struct call *c);
enum fault lock_api_get(struct call *c);
enum fault lock_api_list(struct call *c);
enum fault lock_api_delete(struct call *c);
/* role_api.c */
enum fault role_definition_api_list(struct call *c);
enum fault role_definition_api_get(struct call *c);
enum fault role_definition_api_put(struct call *c);
enum fault role_definition_api_delete(struct call *c);
enum fault role_permissions(struct call *c);
/* role_assignment_api.c */
enum fault role_assignment_api_list(struct call *c);
enum fault role_assignment_api_get(struct call *c);
enum fault role_assignment_api_put(struct call *c);
enum fault role_assignment_api_delete(struct call *c);
/* job_api.c */
enum fault job_api_new(struct call *c);
enum fault job_api_list(struct call *c);
enum fault job_api_get(struct call *c);
enum fault job_api_delete(struct call *c);
/* saved_api.c */
enum fault saved_api_list(struct call *c);
enum fault saved_api_put(struct call *c);
enum fault saved_api_load(struct call *c);
enum fault saved_api_delete(struct call *c);
enum fault saved_api_reset(struct call *c);
/* operation_api.c */
enum fault operation_list(struct call *c);
enum fault operation_status_get(struct call *c);
enum fault operation_result_get(struct call *c);
enum fault operation_cancel(struct call *c);
/* deployment_api.c */
enum fault deployment_put(struct call *c);
enum fault deployment_api_get(struct call *c);
enum fault deployment_api_delete(struct call *c);
enum fault deployment_api_list(struct call *c);
enum fault deployment_api_cancel(struct call *c);
enum fault deployment_api_validate(struct call *c);
enum fault deployment_api_what_if(struct call *c);
enum fault deployment_api_export(struct call *c);
enum fault deployment_api_secure_outputs(struct call *c);
enum fault deployment_template_hash(struct call *c);
enum fault deployment_operation_list(struct call *c);
enum fault deployment_operation_get(struct call *c);
/* quota_api.c */
enum fault quota_api_list(struct call *c);
enum fault quota_api_get(struct call *c);
enum fault quota_api_put(struct call *c);
enum fault usage_api_list(struct call *c);
enum fault usage_api_get(struct call *c);
enum fault quota_request_api_list(struct call *c);
enum fault quota_request_api_get(struct call *c);
/* activity_api.c */
enum fault activity_list(struct call *c);
/* metric_api.c */
enum fault metric_api_list(struct call *c);
enum fault metric_api_definitions(struct call *c);
enum fault metric_api_namespaces(struct call *c);
/* rest.c */
enum fault nothing_here(struct call *c);

#endif
