/* Every page and form of the console, by the file it stands in. */
#ifndef SUNDOG_WEB_PAGES_H
#define SUNDOG_WEB_PAGES_H

#include "core/call.h"

enum fault overview_page(struct call *c);        /* overview_page.c */
enum fault activity_page(struct call *c);        /* activity_page.c */
enum fault resource_groups_page(struct call *c); /* resource_group_page.c */
enum fault resource_group_page(struct call *c);
enum fault resource_group_new_page(struct call *c); /* resource_group_new_page.c */
enum fault resource_group_new_post(struct call *c);
enum fault resource_group_delete(struct call *c);
enum fault deployments_page(struct call *c); /* deployments_page.c */
enum fault deployment_page(struct call *c);  /* deployment_page.c */
enum fault deployment_cancel(struct call *c);
enum fault deployment_forget(struct call *c);

/* registries */
enum fault registries_page(struct call *c); /* registry_page.c */
enum fault registry_page(struct call *c);
enum fault registry_delete_post(struct call *c);
enum fault registry_new_page(struct call *c); /* registry_new_page.c */
enum fault registry_new_post(struct call *c);
enum fault webhook_new_page(struct call *c);
enum fault webhook_new_post(struct call *c);
enum fault token_new_page(struct call *c);
enum fault token_new_post(struct call *c);
enum fault webhook_page(struct call *c); /* webhook_page.c */
enum fault webhook_ping_post(struct call *c);
enum fault webhook_delete_post(struct call *c);
enum fault repository_page(struct call *c); /* repository_page.c */
enum fault repository_lock_post(struct call *c);
enum fault repository_delete_post(struct call *c);
enum fault manifests_page(struct call *c); /* manifests_page.c */
enum fault tag_page(struct call *c);       /* manifest_page.c */
enum fault tag_lock_post(struct call *c);
enum fault tag_delete_post(struct call *c);
enum fault manifest_page(struct call *c);
enum fault manifest_lock_post(struct call *c);
enum fault manifest_delete_post(struct call *c);

/* container groups */
enum fault instances_page(struct call *c); /* instance_page.c */
enum fault instance_page(struct call *c);
enum fault instance_start(struct call *c);
enum fault instance_stop(struct call *c);
enum fault instance_restart(struct call *c);
enum fault instance_delete(struct call *c);
enum fault instance_logs_page(struct call *c); /* instance_logs_page.c */
enum fault instance_new_page(struct call *c);  /* instance_new_page.c */
enum fault instance_new_post(struct call *c);
enum fault instance_shell_page(struct call *c); /* instance_shell_page.c */
enum fault instance_terminal(struct call *c);

/* access */
enum fault access_page(struct call *c); /* access_page.c */
enum fault access_delete(struct call *c);
enum fault access_new_page(struct call *c); /* access_new_page.c */
enum fault access_new_post(struct call *c);
enum fault principals_page(struct call *c); /* principals_page.c */

/* clusters */
enum fault clusters_page(struct call *c); /* clusters_page.c */
enum fault cluster_page(struct call *c);  /* cluster_page.c */
enum fault cluster_start(struct call *c);
enum fault cluster_stop(struct call *c);
enum fault cluster_delete(struct call *c);
enum fault cluster_pool_scale(struct call *c);
enum fault cluster_pool_delete(struct call *c);
enum fault cluster_new_page(struct call *c); /* cluster_new_page.c */
enum fault cluster_new_post(struct call *c);
enum fault pool_new_page(struct call *c);
enum fault pool_new_post(struct call *c);
enum fault cluster_kubeconfig(struct call *c);
enum fault cluster_workloads_page(struct call *c); /* cluster_lists_page.c */
enum fault cluster_pods_page(struct call *c);
enum fault cluster_services_page(struct call *c);
enum fault cluster_configuration_page(struct call *c);
enum fault cluster_events_page(struct call *c);
enum fault cluster_object_page(struct call *c); /* object_page.c */
enum fault cluster_object_scale(struct call *c);
enum fault cluster_object_restart(struct call *c);
enum fault cluster_object_delete(struct call *c);
enum fault cluster_pod_log_page(struct call *c);   /* pod_log_page.c */
enum fault cluster_pod_shell_page(struct call *c); /* pod_shell_page.c */
enum fault cluster_pod_terminal(struct call *c);

#endif
