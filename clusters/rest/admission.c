/*
 * Admission: what must be looked up elsewhere before an object is written, as one table. Plugins
 * run in its order; each sees what those before it changed.
 */
#include <string.h>

#include "clusters/rest/rest_internal.h"

enum { ON_CREATE = 1, ON_UPDATE = 2 };

/* Of several that say "default", the newest counts, as upstream. */
static const char *default_class(struct admission *a, const struct resource *r,
                                 const char *annotation)
{
    struct store_page page = {0};
    struct object *best = NULL;

    if (store_list(a->op, a->r->cluster->store, r, NULL, NULL, NULL, 0, 0, &page) != OK)
        return NULL;
    for (size_t i = 0; i < page.n; i++) {
        const char *value = annotation_of(object_tree(page.objects[i]), annotation);

        if (value && strcmp(value, "true") == 0 &&
            (!best || page.objects[i]->revision > best->revision))
            best = page.objects[i];
    }
    return best ? best->name : NULL;
}

static enum fault admit_ingress(struct admission *a)
{
    const char *name;

    if (at(a->tree, "spec.ingressClassName") ||
        annotation_of(a->tree, "kubernetes.io/ingress.class"))
        return OK;
    name = default_class(a, known.ingress_classes, "ingressclass.kubernetes.io/is-default-class");
    if (name)
        set_at(a->tree, "spec.ingressClassName", json_string(name));
    return OK;
}

static enum fault admit_claim(struct admission *a)
{
    const char *name;

    if (at(a->tree, "spec.storageClassName") ||
        annotation_of(a->tree, "volume.beta.kubernetes.io/storage-class"))
        return OK;
    name = default_class(a, known.storage_classes, "storageclass.kubernetes.io/is-default-class");
    if (name)
        set_at(a->tree, "spec.storageClassName", json_string(name));
    return OK;
}

/* kubernetes.io/service-account-token secrets of old: filled in for the account they name. */
static enum fault admit_secret(struct admission *a)
{
    const char *type = text_at_or(a->tree, "type", "");

    if (strcmp(type, "kubernetes.io/service-account-token") != 0 || a->r->dry_run)
        return OK;
    return fill_account_secret(a);
}

static enum fault admit_namespace(struct admission *a)
{
    json_object_set_new(object_at(a->tree, "metadata.labels"), "kubernetes.io/metadata.name",
                        json_string(a->r->name));
    return OK;
}

static const struct plugin {
    const char *group, *plural;
    unsigned on;
    enum fault (*run)(struct admission *a);
} plugins[] = {
    {"",                          "namespaces",             ON_CREATE | ON_UPDATE, admit_namespace      },
    {"",                          "pods",                   ON_CREATE,             admit_pod_runtime    },
    {"",                          "pods",                   ON_CREATE,             admit_limits         },
    {"",                          "pods",                   ON_CREATE,             admit_pod_account    },
    {"",                          "pods",                   ON_CREATE,             admit_pod_priority   },
    {"",                          "pods",                   ON_CREATE,             admit_pod_tolerations},
    {"",                          "persistentvolumeclaims", ON_CREATE,             admit_limits         },
    {"",                          "persistentvolumeclaims", ON_CREATE,             admit_claim          },
    {"",                          "secrets",                ON_CREATE | ON_UPDATE, admit_secret         },
    {"",                          "services",               ON_CREATE | ON_UPDATE, admit_service        },
    {"networking.k8s.io",         "ingresses",              ON_CREATE,             admit_ingress        },
    {"rbac.authorization.k8s.io", "roles",                  ON_CREATE | ON_UPDATE, admit_role           },
    {"rbac.authorization.k8s.io", "clusterroles",           ON_CREATE | ON_UPDATE, admit_role           },
    {"rbac.authorization.k8s.io", "rolebindings",           ON_CREATE | ON_UPDATE, admit_binding        },
    {"rbac.authorization.k8s.io", "clusterrolebindings",    ON_CREATE | ON_UPDATE, admit_binding        },
};

enum fault admit(struct admission *a)
{
    const struct resource *r = a->r->resource->stored_as;
    unsigned on = a->old ? ON_UPDATE : ON_CREATE;

    if (a->r->subresource && strcmp(a->r->subresource, "status") == 0)
        return OK;
    for (size_t i = 0; i < ARRAY_LEN(plugins); i++) {
        const struct plugin *p = &plugins[i];

        if ((p->on & on) && strcmp(p->plural, r->plural) == 0 && strcmp(p->group, r->group) == 0)
            TRY(p->run(a));
    }
    return OK;
}

void admit_undo(struct admission *a)
{
    if (a->r->resource->stored_as == known.services)
        undo_service(a);
}
