/* Kinds that are stored and served, and that nothing acts on yet: whoever makes one is told so. */
#include <string.h>

#include "clusters/rest/rest_internal.h"

static const struct {
    const char *group, *plural, *what;
} kinds[] = {
    {"",                             "persistentvolumeclaims",            "volumes are not provisioned"    },
    {"",                             "persistentvolumes",                 "volumes are not bound"          },
    {"admissionregistration.k8s.io", "mutatingwebhookconfigurations",     "webhooks are not called"        },
    {"admissionregistration.k8s.io", "validatingwebhookconfigurations",   "webhooks are not called"        },
    {"admissionregistration.k8s.io", "validatingadmissionpolicies",       "policies are not evaluated"     },
    {"admissionregistration.k8s.io", "validatingadmissionpolicybindings",
     "policies are not evaluated"                                                                          },
    {"apiextensions.k8s.io",         "customresourcedefinitions",         "custom resources are not served"},
    {"apiregistration.k8s.io",       "apiservices",                       "requests are not passed on"     },
    {"apps",                         "daemonsets",                        "no pods are made"               },
    {"apps",                         "statefulsets",                      "no pods are made"               },
    {"autoscaling",                  "horizontalpodautoscalers",          "nothing is scaled"              },
    {"batch",                        "cronjobs",                          "no jobs are made"               },
    {"certificates.k8s.io",          "certificatesigningrequests",        "nothing is signed"              },
    {"networking.k8s.io",            "ingresses",                         "there is no ingress controller" },
    {"networking.k8s.io",            "networkpolicies",                   "traffic is not filtered"        },
    {"storage.k8s.io",               "volumeattachments",                 "nothing is attached"            },
};

void warn_stored_only(struct op *op, struct rest *r)
{
    const struct resource *resource = r->resource->stored_as;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].plural, resource->plural) == 0 &&
            strcmp(kinds[i].group, resource->group) == 0)
            rest_warn(r, arena_printf(&op->arena,
                                      "%s are stored but not acted on by this server yet: %s",
                                      resource->plural, kinds[i].what));
}
