/* The table of providers: each api/x_api.c exports its own; these are the resource manager's. */
#include "api/container_instance.h"
#include "api/managed_cluster.h"
#include "api/provider.h"
#include "api/registry_api.h"

static const char *const versions[] = {"2025-04-01", "2024-11-01", "2022-12-01", "2021-04-01",
                                       "2020-06-01", "2019-11-01", NULL};
static const char *const rights_versions[] = {
    "2022-04-01", "2020-10-01-preview", "2020-04-01", "2018-01-01-preview", "2016-09-01", NULL};

#define NAMED(t, v)                                                                                \
    {                                                                                              \
        .type = t, .api_versions = v, .no_row = true                                               \
    }

static const struct resource_type resources_types[] = {
    NAMED("tenants", versions),
    NAMED("subscriptions", versions),
    NAMED("subscriptions/resources", versions),
    NAMED("subscriptions/locations", versions),
    NAMED("subscriptions/providers", versions),
    NAMED("subscriptions/tagNames", versions),
    NAMED("subscriptions/tagNames/tagValues", versions),
    NAMED("subscriptions/operationresults", versions),
    NAMED("resourceGroups", versions),
    NAMED("subscriptions/resourceGroups", versions),
    NAMED("tags", versions),
    NAMED("operations", versions),
    NAMED("deployments", versions),
    NAMED("deployments/operations", versions),
    {0},
};
static const struct resource_type authorization_types[] = {
    NAMED("roleAssignments", rights_versions), NAMED("roleDefinitions", rights_versions),
    NAMED("permissions", rights_versions),     NAMED("providerOperations", rights_versions),
    NAMED("locks", rights_versions),           {0},
};
static const char *const subscription_versions[] = {"2021-10-01", "2020-09-01", NULL};
static const struct resource_type subscription_types[] = {
    NAMED("aliases", subscription_versions),
    NAMED("rename", subscription_versions),
    NAMED("cancel", subscription_versions),
    NAMED("enable", subscription_versions),
    {0},
};
static const char *const insights_versions[] = {"2017-03-01-preview", "2015-04-01", NULL};
static const char *const metric_versions[] = {"2024-02-01", "2023-10-01", "2021-05-01",
                                              "2019-07-01", "2018-01-01", NULL};
static const char *const namespace_versions[] = {"2024-02-01", "2018-01-01-preview",
                                                 "2017-12-01-preview", NULL};
static const struct resource_type insights_types[] = {
    NAMED("eventtypes", insights_versions),
    NAMED("metrics", metric_versions),
    NAMED("metricDefinitions", metric_versions),
    NAMED("metricNamespaces", namespace_versions),
    {0},
};

static const char *const quota_versions[] = {"2025-09-01", "2025-03-01", "2023-02-01",
                                             "2021-03-15-preview", NULL};
static const struct resource_type quota_types[] = {
    NAMED("quotas", quota_versions),
    NAMED("usages", quota_versions),
    NAMED("quotaRequests", quota_versions),
    NAMED("operations", quota_versions),
    {0},
};

#define OPERATION(n, r, o, d)                                                                      \
    {                                                                                              \
        .name = n, .resource = r, .operation = o, .description = d                                 \
    }

static const struct provider_operation resources_operations[] = {
    OPERATION("Microsoft.Resources/subscriptions/read", "Subscription", "Get Subscription",
              "Gets the list of subscriptions."),
    OPERATION("Microsoft.Resources/subscriptions/resourceGroups/read", "Resource Group",
              "Get Resource Group", "Gets or lists resource groups."),
    OPERATION("Microsoft.Resources/subscriptions/resourceGroups/write", "Resource Group",
              "Update Resource Group", "Creates or updates a resource group."),
    OPERATION("Microsoft.Resources/subscriptions/resourceGroups/delete", "Resource Group",
              "Delete Resource Group", "Deletes a resource group and all its resources."),
    OPERATION("Microsoft.Resources/subscriptions/resourceGroups/moveResources/action",
              "Resource Group", "Move Resource Group Resources",
              "Moves resources from one resource group to another."),
    OPERATION("Microsoft.Resources/subscriptions/resources/read", "Resource", "Get Resources",
              "Gets resources of a subscription."),
    OPERATION("Microsoft.Resources/tags/read", "Tags", "Get Tags", "Gets all tags on a resource."),
    OPERATION("Microsoft.Resources/tags/write", "Tags", "Write Tags",
              "Updates the tags on a resource."),
    OPERATION("Microsoft.Resources/tags/delete", "Tags", "Delete Tags",
              "Removes all the tags on a resource."),
    OPERATION("Microsoft.Resources/deployments/read", "Deployment", "Get Deployment",
              "Gets or lists deployments."),
    OPERATION("Microsoft.Resources/deployments/write", "Deployment", "Create Deployment",
              "Creates or updates a deployment."),
    OPERATION("Microsoft.Resources/deployments/delete", "Deployment", "Delete Deployment",
              "Deletes a deployment."),
    OPERATION("Microsoft.Resources/deployments/cancel/action", "Deployment", "Cancel Deployment",
              "Cancels a deployment."),
    OPERATION("Microsoft.Resources/deployments/validate/action", "Deployment",
              "Validate Deployment", "Validates a deployment."),
    OPERATION("Microsoft.Resources/deployments/whatIf/action", "Deployment",
              "Predict template deployment changes", "Predicts template deployment changes."),
    OPERATION("Microsoft.Resources/deployments/exportTemplate/action", "Deployment",
              "Export Template For Deployment", "Exports the template of a deployment."),
    OPERATION("Microsoft.Resources/deployments/listOutputsWithSecureValues/action", "Deployment",
              "List Deployment Outputs",
              "Gets a deployment with the values of its secure outputs."),
    OPERATION("Microsoft.Resources/deployments/operations/read", "Deployment",
              "Get Deployment Operations", "Gets or lists deployment operations."),
    {0},
};
static const struct provider_operation authorization_operations[] = {
    OPERATION("Microsoft.Authorization/roleAssignments/read", "Role assignment",
              "Get role assignment", "Get information about a role assignment."),
    OPERATION("Microsoft.Authorization/roleAssignments/write", "Role assignment",
              "Create role assignment", "Create a role assignment at the specified scope."),
    OPERATION("Microsoft.Authorization/roleAssignments/delete", "Role assignment",
              "Delete role assignment", "Delete a role assignment at the specified scope."),
    OPERATION("Microsoft.Authorization/roleDefinitions/read", "Role definition",
              "Get role definition", "Get information about a role definition."),
    OPERATION("Microsoft.Authorization/roleDefinitions/write", "Role definition",
              "Create or update custom role definition", "Create or update a custom role."),
    OPERATION("Microsoft.Authorization/roleDefinitions/delete", "Role definition",
              "Delete custom role definition", "Delete the specified custom role definition."),
    OPERATION("Microsoft.Authorization/locks/read", "Management Locks", "Get management locks",
              "Gets locks at the specified scope."),
    OPERATION("Microsoft.Authorization/locks/write", "Management Locks", "Add management locks",
              "Add locks at the specified scope."),
    OPERATION("Microsoft.Authorization/locks/delete", "Management Locks", "Delete management locks",
              "Delete locks at the specified scope."),
    {0},
};

static const struct provider_operation insights_operations[] = {
    OPERATION("Microsoft.Insights/eventtypes/values/read", "Event type values", "Read activity log",
              "Read Activity Log events in a subscription."),
    OPERATION("Microsoft.Insights/metrics/read", "Metrics", "Read metrics", "Read metrics."),
    OPERATION("Microsoft.Insights/metricDefinitions/read", "Metric definitions",
              "Read metric definitions", "Read metric definitions."),
    OPERATION("Microsoft.Insights/metricNamespaces/read", "Metric namespaces",
              "Read metric namespaces", "Read metric namespaces."),
    {0},
};

static const struct provider_operation quota_operations[] = {
    OPERATION("Microsoft.Quota/quotas/read", "Resource Quota limit", "Get resource Quota limit",
              "Get the current service limit or quota of the specified resource."),
    OPERATION("Microsoft.Quota/quotas/write", "Resource Quota limit",
              "Creates resource Quota limit request",
              "Changes the service limit or quota of the specified resource."),
    OPERATION("Microsoft.Quota/quotaRequests/read", "Resource Quota limit request",
              "Get Quota limit request", "Get any service limit request."),
    OPERATION("Microsoft.Quota/usages/read", "usages information", "Get the usages for providers",
              "Get the usages for resource providers."),
    OPERATION("Microsoft.Quota/register/action", "Subscription registration",
              "Register the subscription with Microsoft.Quota Resource Provider",
              "Register the subscription with Microsoft.Quota Resource Provider."),
    {0},
};

static const struct provider resources = {.name = "Microsoft.Resources",
                                          .display = "Microsoft Resources",
                                          .types = resources_types,
                                          .operations = resources_operations};
static const struct provider authorization = {.name = "Microsoft.Authorization",
                                              .display = "Microsoft Authorization",
                                              .types = authorization_types,
                                              .operations = authorization_operations};
static const struct provider subscription = {.name = "Microsoft.Subscription",
                                             .display = "Microsoft Subscription",
                                             .types = subscription_types};
static const struct provider insights = {.name = "Microsoft.Insights",
                                         .display = "Microsoft Insights",
                                         .types = insights_types,
                                         .operations = insights_operations};
static const struct provider quota = {.name = "Microsoft.Quota",
                                      .display = "Microsoft Quota",
                                      .types = quota_types,
                                      .operations = quota_operations};

/* Known by name, so that clients can register them; they come with a later Sundog. */
static const struct provider apps = {
    .name = "Microsoft.App", .display = "Microsoft App", .not_built = true};

const struct provider *const providers[] = {
    &resources,
    &authorization,
    &subscription,
    &insights,
    &quota,
    &registry_provider,
    &container_instance_provider,
    &container_service_provider,
    &apps,
    NULL,
};
