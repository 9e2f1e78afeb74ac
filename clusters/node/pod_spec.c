/* From a Pod to what a sandbox is asked: network names, limits, volumes; and from a container of it
   to what is run. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clusters/network/cluster_network.h"
#include "clusters/node/pod_agent.h"
#include "clusters/object/quantity.h"

#define TEXTS_MAX  64
#define MOUNTS_MAX 256
#define SHARES_MIN 2
#define PODS_PIDS  4096
#define LOG_BYTES  (INT64_C(10) << 20) /* kubelet's containerLogMaxSize */

static const char *const *texts_of(struct op *op, const json_t *list)
{
    const char **texts = arena_alloc(&op->arena, (json_array_size(list) + 1) * sizeof(*texts));

    for (size_t i = 0; i < json_array_size(list); i++)
        texts[i] = json_string_value(json_array_get(list, i));
    return texts;
}

/* ---- names ---- */

struct texts {
    const char *list[TEXTS_MAX + 1];
    size_t n;
};

static void add(struct texts *t, const char *text)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->list[i], text) == 0)
            return;
    if (t->n < TEXTS_MAX)
        t->list[t->n++] = text;
}

static void add_list(struct texts *t, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        add(t, json_string_value(json_array_get(list, i)));
}

static const char *const *done(struct op *op, const struct texts *t)
{
    return arena_memdup(&op->arena, t->list, (t->n + 1) * sizeof(*t->list));
}

static bool uses_cluster_dns(const json_t *spec)
{
    const char *policy = text_at_or(spec, "dnsPolicy", "ClusterFirst");

    if (strcmp(policy, "ClusterFirst") == 0)
        return !bool_at(spec, "hostNetwork", false);
    return strcmp(policy, "ClusterFirstWithHostNet") == 0;
}

static void set_dns(struct pod_pass *p, struct sandbox_spec *s)
{
    struct texts servers = {.n = 0}, searches = {.n = 0}, options = {.n = 0};
    struct op *op = p->op;
    json_t *option;
    size_t i;

    if (uses_cluster_dns(p->spec)) {
        add(&servers, p->cluster->dns_ip);
        add(&searches, arena_printf(&op->arena, "%s.svc.cluster.local", p->object->ns));
        add(&searches, "svc.cluster.local");
        add(&searches, "cluster.local");
        add(&options, "ndots:5");
    } else if (strcmp(text_at_or(p->spec, "dnsPolicy", ""), "None") != 0) {
        add(&servers, p->cluster->dns_ip); /* it forwards what is not the cluster's */
    }
    add_list(&servers, at(p->spec, "dnsConfig.nameservers"));
    add_list(&searches, at(p->spec, "dnsConfig.searches"));
    json_array_foreach(at(p->spec, "dnsConfig.options"), i, option)
    {
        const char *value = text_at(option, "value"), *name = text_at_or(option, "name", "");

        add(&options, value ? arena_printf(&op->arena, "%s:%s", name, value) : name);
    }
    s->nameservers = done(op, &servers);
    s->searches = done(op, &searches);
    s->resolv_options = done(op, &options);
}

static const char *hostname_of(const struct pod_pass *p)
{
    const char *name = text_at(p->spec, "hostname");
    char *cut;

    if (bool_at(p->spec, "hostNetwork", false))
        return p->node;
    if (name && *name)
        return name;
    cut = arena_printf(&p->op->arena, "%.63s", p->object->name);
    for (size_t n = strlen(cut); n > 0 && (cut[n - 1] == '-' || cut[n - 1] == '.'); n--)
        cut[n - 1] = '\0';
    return cut;
}

/* /etc/hosts as kubelet writes it. */
static const char *hosts_file(struct pod_pass *p, const char *hostname)
{
    const char *subdomain = text_at(p->spec, "subdomain");
    bool host = bool_at(p->spec, "hostNetwork", false);
    const struct node_spec *node = node_of(p->cluster, p->node);
    const char *address = host ? (node ? node->address : "127.0.0.1") : p->memory->address;
    struct text out;
    json_t *alias;
    size_t i;

    text_init(&out, &p->op->arena, 65536);
    text_str(&out, "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n"
                   "::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n"
                   "fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n");
    if (subdomain && *subdomain)
        text_printf(&out, "%s\t%s.%s.%s.svc.cluster.local\t%s\n", address, hostname, subdomain,
                    p->object->ns, hostname);
    else
        text_printf(&out, "%s\t%s\n", address, hostname);
    if (json_array_size(json_object_get(p->spec, "hostAliases")))
        text_str(&out, "\n# Entries added by HostAliases.\n");
    json_array_foreach(json_object_get(p->spec, "hostAliases"), i, alias)
    {
        const char *const *names = texts_of(p->op, json_object_get(alias, "hostnames"));

        text_printf(&out, "%s", text_at_or(alias, "ip", ""));
        for (; *names; names++)
            text_printf(&out, "\t%s", *names);
        text_str(&out, "\n");
    }
    return out.data;
}

/* ---- limits ---- */

static int64_t amount(const json_t *container, const char *which, const char *name, bool millis)
{
    const char *text = json_string_value(
        json_object_get(json_object_get(json_object_get(container, "resources"), which), name));

    return millis ? quantity_millis_of(text) : quantity_value_of(text);
}

static int64_t shares(int64_t millis)
{
    int64_t n = millis * 1024 / 1000;

    return n < SHARES_MIN ? SHARES_MIN : n;
}

/* Of the whole pod: a limit holds only when all containers have one. */
static void set_limits(struct pod_pass *p, struct sandbox_spec *s)
{
    bool all_cpu = true, all_memory = true;
    int64_t cpu = 0, memory = 0, requests = 0;
    json_t *container;
    size_t i;

    json_array_foreach(json_object_get(p->spec, "containers"), i, container)
    {
        int64_t c = amount(container, "limits", "cpu", true);
        int64_t m = amount(container, "limits", "memory", false);

        all_cpu &= c > 0;
        all_memory &= m > 0;
        cpu += c;
        memory += m;
        requests += amount(container, "requests", "cpu", true);
    }
    if (json_array_size(json_object_get(p->spec, "initContainers")))
        all_cpu = all_memory = false; /* theirs may be higher; each container has its own */
    s->cpu_millis = all_cpu ? cpu : 0;
    s->memory_bytes = all_memory ? memory : 0;
    s->cpu_shares = shares(requests);
    s->pids = PODS_PIDS;
}

/* ---- the sandbox ---- */

static enum fault set_sysctls(struct pod_pass *p, struct pod_spec *pod)
{
    const json_t *list = at(p->spec, "securityContext.sysctls");
    struct sandbox_sysctl *out =
        arena_alloc(&p->op->arena, (json_array_size(list) + 1) * sizeof(*out));

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);

        out[i].name = text_at_or(one, "name", "");
        out[i].value = text_at_or(one, "value", "");
        if (!sandbox_sysctl_safe(out[i].name))
            return fail_on(p->op, "SysctlForbidden", INVALID,
                           "forbidden sysctl: \"%s\" not allowlisted", out[i].name);
    }
    pod->sysctls = out;
    pod->n_sysctls = json_array_size(list);
    return OK;
}

static enum fault set_network(struct pod_pass *p, struct sandbox_spec *s, struct pod_spec *pod)
{
    const struct node_spec *node = node_of(p->cluster, p->node);
    struct sandbox_address *address = arena_alloc(&p->op->arena, sizeof(*address));

    pod->cluster = p->cluster->id;
    pod->node = p->node;
    pod->host_network = bool_at(p->spec, "hostNetwork", false);
    pod->share_processes = bool_at(p->spec, "shareProcessNamespace", false);
    if (pod->host_network)
        return OK;
    if (!node)
        return fail(p->op, UNAVAILABLE, "the node is not known");
    TRY(pod_address_take(p->op, p->memory, node->pod_cidr));
    address->address = p->memory->address;
    address->prefix = 32;
    s->addresses = address;
    s->n_addresses = 1;
    s->gateway = cluster_network_gateway(p->cluster->network);
    return OK;
}

enum fault pod_sandbox_create(struct pod_pass *p)
{
    struct pod_spec pod = {0};
    struct sandbox_spec s = {.id = p->memory->sandbox, .pod = &pod};
    struct volume_spec *volumes;
    enum fault fault;

    TRY(pod_volumes(p, &volumes, &s.n_volumes));
    s.volumes = volumes;
    TRY(set_network(p, &s, &pod));
    TRY(set_sysctls(p, &pod));
    s.hostname = hostname_of(p);
    pod.hosts_file = hosts_file(p, s.hostname);
    set_dns(p, &s);
    set_limits(p, &s);
    fault = sandbox_create(p->op, &s);
    if (fault == CONFLICT) { /* half of one is left from before */
        op_clear_fault(p->op);
        TRY(sandbox_delete(p->op, s.id));
        fault = sandbox_create(p->op, &s);
    }
    if (fault == OK)
        pod_volumes_told(p, volumes, s.n_volumes);
    return fault;
}

/* ---- containers: security ---- */

/* The container's member, else the pod's. */
static const json_t *security(const struct pod_pass *p, const json_t *container, const char *member)
{
    const json_t *own = json_object_get(json_object_get(container, "securityContext"), member);

    return own && !json_is_null(own)
               ? own
               : json_object_get(json_object_get(p->spec, "securityContext"), member);
}

static int64_t security_int(const struct pod_pass *p, const json_t *container, const char *member)
{
    const json_t *value = security(p, container, member);

    return json_is_integer(value) ? json_integer_value(value) : -1;
}

static const char *seccomp_of(const struct pod_pass *p, const json_t *container)
{
    const json_t *profile = security(p, container, "seccompProfile");

    return strcmp(text_at_or(profile, "type", ""), "Unconfined") == 0 ? "unconfined" : NULL;
}

static void set_groups(const struct pod_pass *p, struct container_spec *c)
{
    const json_t *more = at(p->spec, "securityContext.supplementalGroups");
    int64_t fs_group = int_at(p->spec, "securityContext.fsGroup", -1);
    int64_t *groups = arena_alloc(&p->op->arena, (json_array_size(more) + 1) * sizeof(*groups));

    for (size_t i = 0; i < json_array_size(more); i++)
        groups[c->n_groups++] = json_integer_value(json_array_get(more, i));
    if (fs_group >= 0)
        groups[c->n_groups++] = fs_group;
    c->groups = groups;
}

static void set_security(const struct pod_pass *p, const json_t *container,
                         struct container_spec *c)
{
    const json_t *own = json_object_get(container, "securityContext");
    const json_t *capabilities = json_object_get(own, "capabilities");

    c->run_as_user = security_int(p, container, "runAsUser");
    c->run_as_group = security_int(p, container, "runAsGroup");
    c->run_as_non_root = json_is_true(security(p, container, "runAsNonRoot"));
    c->read_only = bool_at(own, "readOnlyRootFilesystem", false);
    c->privileged = bool_at(own, "privileged", false);
    c->no_new_privileges = !bool_at(own, "allowPrivilegeEscalation", true);
    c->cap_add = texts_of(p->op, json_object_get(capabilities, "add"));
    c->cap_drop = texts_of(p->op, json_object_get(capabilities, "drop"));
    c->seccomp = seccomp_of(p, container);
    set_groups(p, c);
}

/* ---- containers: what is run ---- */

/* An empty list leaves *ret as it is. */
static enum fault expand_all(struct op *op, const json_t *list, const char *const *env,
                             size_t *left, const char *const **ret)
{
    const char **out = arena_alloc(&op->arena, (json_array_size(list) + 1) * sizeof(*out));

    for (size_t i = 0; i < json_array_size(list); i++) {
        out[i] = expand(op, json_string_value(json_array_get(list, i)), env, *left);
        if (!out[i] || !pod_text_fits(left, strlen(out[i])))
            return pod_texts_too_long(op);
    }
    if (json_array_size(list))
        *ret = out;
    return OK;
}

static size_t count(const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

/* command replaces the entrypoint and, without args, the image's arguments, too. */
static enum fault set_args(struct pod_pass *p, const json_t *container, const struct image *image,
                           size_t *left, struct container_spec *c)
{
    const json_t *command = json_object_get(container, "command");
    const char *const *first = image->entrypoint;
    const char *const *rest = json_array_size(command) ? NULL : image->cmd;
    const char **all;
    size_t n, m;

    TRY(expand_all(p->op, command, c->env, left, &first));
    TRY(expand_all(p->op, json_object_get(container, "args"), c->env, left, &rest));
    n = count(first);
    m = count(rest);
    all = arena_alloc(&p->op->arena, (n + m + 1) * sizeof(*all));
    if (n)
        memcpy(all, first, n * sizeof(*all));
    if (m)
        memcpy(all + n, rest, m * sizeof(*all));
    if (!(n + m))
        return fail_on(p->op, "CreateContainerError", INVALID, "no command specified");
    c->args = all;
    return OK;
}

static enum fault set_mounts(struct pod_pass *p, const json_t *container, struct container_spec *c)
{
    const json_t *list = json_object_get(container, "volumeMounts");
    struct mount_spec *mounts =
        arena_alloc(&p->op->arena, (json_array_size(list) + 1) * sizeof(*mounts));

    for (size_t i = 0; i < json_array_size(list) && i < MOUNTS_MAX; i++) {
        const json_t *one = json_array_get(list, i);
        const char *sub = text_at(one, "subPath"), *sub_expr = text_at(one, "subPathExpr");

        if (sub_expr && *sub_expr)
            sub = expand(p->op, sub_expr, c->env, PATH_MAX);
        if (sub_expr && *sub_expr && !sub)
            return fail_on(p->op, "CreateContainerConfigError", INVALID,
                           "the subPathExpr of volume mount \"%s\" is longer than %d bytes",
                           text_at_or(one, "name", ""), PATH_MAX);
        if (sub && (*sub == '/' || strstr(sub, "..")))
            return fail_on(p->op, "CreateContainerConfigError", INVALID,
                           "subPath \"%s\" must be a relative path without '..'", sub);
        mounts[c->n_mounts++] = (struct mount_spec){.volume = text_at_or(one, "name", ""),
                                                    .path = text_at_or(one, "mountPath", "/"),
                                                    .sub_path = sub && *sub ? sub : NULL,
                                                    .read_only = bool_at(one, "readOnly", false)};
    }
    c->mounts = mounts;
    return OK;
}

/* The kernel ends what is missed least first: kubelet's numbers. */
static int64_t oom_score(const struct pod_pass *p, const json_t *container)
{
    const char *class = text_at_or(p->pod, "status.qosClass", "BestEffort");
    const struct node_spec *node = node_of(p->cluster, p->node);
    int64_t all = node ? node->memory_bytes : 1, score;

    if (strcmp(class, "Guaranteed") == 0)
        return 1; /* -997 needs a right that this machine may not have */
    if (strcmp(class, "BestEffort") == 0)
        return 1000;
    score = 1000 - 1000 * amount(container, "requests", "memory", false) / (all > 0 ? all : 1);
    return score < 3 ? 3 : score > 999 ? 999 : score;
}

enum fault pod_container_start(struct pod_pass *p, const json_t *container,
                               struct container_memory *m)
{
    struct container_spec c = {.name = m->name, .attempt = m->restarts + 1};
    size_t left = POD_TEXTS_MAX;
    struct image image;

    TRY(pod_image(p, container, m, &image));
    TRY(pod_env(p, container, image.env, &left, &c.env));
    c.layers = image.layers;
    TRY(set_args(p, container, &image, &left, &c));
    c.cwd = text_at(container, "workingDir");
    if (!c.cwd || !*c.cwd)
        c.cwd = image.cwd && *image.cwd ? image.cwd : NULL;
    c.user = image.user ? image.user : "";
    set_security(p, container, &c);
    TRY(set_mounts(p, container, &c));
    c.memory_bytes = amount(container, "limits", "memory", false);
    c.cpu_millis = amount(container, "limits", "cpu", true);
    c.cpu_shares = shares(amount(container, "requests", "cpu", true));
    c.oom_score_adj = oom_score(p, container);
    c.terminal = bool_at(container, "tty", false);
    c.stdin_open = bool_at(container, "stdin", false);
    c.stdin_once = bool_at(container, "stdinOnce", false);
    c.termination_path = text_at_or(container, "terminationMessagePath", "/dev/termination-log");
    c.log_max_bytes = LOG_BYTES;
    return container_start(p->op, p->memory->sandbox, &c, NULL);
}
