/* A container group's document as structs. It was checked before it was kept
   (api/container_group_json.c). */
#include <string.h>

#include "core/seal.h"
#include "instances/group_run.h"

#define GIB           ((double)(INT64_C(1) << 30))
#define DEFAULT_CPU   1.0
#define DEFAULT_GB    1.5
#define PROBE_PERIOD  10
#define PROBE_TIMEOUT 1
#define PROBE_FAILS   3

static const char *text_at(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static int64_t int_at(const json_t *object, const char *name, int64_t otherwise)
{
    const json_t *value = json_object_get(object, name);

    return json_is_number(value) ? (int64_t)json_number_value(value) : otherwise;
}

static double number_at(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

/* NULL when it is not there. */
static const char *const *texts_at(struct op *op, const json_t *object, const char *name)
{
    const json_t *list = json_object_get(object, name);
    const char **texts;
    size_t n = json_array_size(list);

    if (!json_is_array(list))
        return NULL;
    texts = arena_alloc(&op->arena, (n + 1) * sizeof(*texts));
    for (size_t i = 0; i < n; i++)
        texts[i] = json_string_value(json_array_get(list, i));
    return texts;
}

/* "a b c" */
static const char *const *words_at(struct op *op, const json_t *object, const char *name)
{
    const char *at = text_at(object, name), **words;
    size_t n = 0;

    if (!at)
        return NULL;
    words = arena_alloc(&op->arena, (strlen(at) / 2 + 2) * sizeof(*words));
    while (*(at += strspn(at, " \t,"))) {
        size_t len = strcspn(at, " \t,");

        words[n++] = arena_strndup(&op->arena, at, len);
        at += len;
    }
    return words;
}

/* ---- containers ---- */

static const char *const *read_env(struct op *op, const json_t *properties)
{
    const json_t *list = json_object_get(properties, "environmentVariables");
    const char **env = arena_alloc(&op->arena, (json_array_size(list) + 1) * sizeof(*env));
    size_t n = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *value = text_at(one, "secureValue");

        if (!value)
            value = text_at(one, "value");
        env[n++] = arena_printf(&op->arena, "%s=%s", text_at(one, "name"), value ? value : "");
    }
    return env;
}

static void read_mounts(struct op *op, const json_t *properties, struct group_container *c)
{
    const json_t *list = json_object_get(properties, "volumeMounts");

    c->mounts = arena_alloc(&op->arena, (json_array_size(list) + 1) * sizeof(*c->mounts));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);

        c->mounts[c->n_mounts++] = (struct mount_spec){
            .volume = text_at(one, "name"),
            .path = text_at(one, "mountPath"),
            .read_only = json_is_true(json_object_get(one, "readOnly")),
        };
    }
}

static struct group_probe *read_probe(struct op *op, const json_t *properties, const char *name)
{
    const json_t *probe = json_object_get(properties, name), *get, *headers;
    struct group_probe *p;
    struct header *copy;

    if (!json_is_object(probe))
        return NULL;
    get = json_object_get(probe, "httpGet");
    headers = json_object_get(get, "httpHeaders");
    p = arena_alloc(&op->arena, sizeof(*p));
    p->command = texts_at(op, json_object_get(probe, "exec"), "command");
    p->path = text_at(get, "path");
    p->scheme = text_at(get, "scheme");
    p->port = int_at(get, "port", 80);
    p->initial_s = int_at(probe, "initialDelaySeconds", 0);
    p->period_s = int_at(probe, "periodSeconds", PROBE_PERIOD);
    p->timeout_s = int_at(probe, "timeoutSeconds", PROBE_TIMEOUT);
    p->failures = int_at(probe, "failureThreshold", PROBE_FAILS);
    p->successes = int_at(probe, "successThreshold", 1);
    copy = arena_alloc(&op->arena, (json_array_size(headers) + 1) * sizeof(*copy));
    for (size_t i = 0; i < json_array_size(headers); i++) {
        const json_t *one = json_array_get(headers, i);

        copy[p->n_headers++] = (struct header){text_at(one, "name"), text_at(one, "value")};
    }
    p->headers = copy;
    return p;
}

static void read_security(struct op *op, const json_t *properties, struct group_container *c)
{
    const json_t *s = json_object_get(properties, "securityContext");
    const json_t *escalate = json_object_get(s, "allowPrivilegeEscalation");
    const char *seccomp = text_at(s, "seccompProfile");
    struct bytes plain;

    c->privileged = json_is_true(json_object_get(s, "privileged"));
    c->no_new_privileges = json_is_false(escalate);
    c->cap_add = texts_at(op, json_object_get(s, "capabilities"), "add");
    c->cap_drop = texts_at(op, json_object_get(s, "capabilities"), "drop");
    c->run_as_user = int_at(s, "runAsUser", -1);
    c->run_as_group = int_at(s, "runAsGroup", -1);
    if (seccomp && base64_decode(&op->arena, seccomp, false, &plain))
        c->seccomp = arena_strndup(&op->arena, plain.data, plain.len);
}

/* Of what is not below 0. */
static int64_t rounded(double n)
{
    return (int64_t)(n + 0.5);
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static void read_resources(const json_t *properties, struct group_container *c,
                           struct group_spec *spec)
{
    const json_t *resources = json_object_get(properties, "resources");
    const json_t *requests = json_object_get(resources, "requests");
    const json_t *limits = json_object_get(resources, "limits");
    double cpu = requests ? number_at(requests, "cpu") : DEFAULT_CPU;
    double gb = requests ? number_at(requests, "memoryInGB") : DEFAULT_GB;

    c->cpu_millis = rounded(number_at(limits, "cpu") * 1000);
    c->memory_bytes = rounded(number_at(limits, "memoryInGB") * GIB);
    if (c->init)
        return;
    spec->cpu_millis += rounded(larger(cpu, number_at(limits, "cpu")) * 1000);
    spec->memory_bytes += rounded(larger(gb, number_at(limits, "memoryInGB")) * GIB);
}

static void read_container(struct op *op, const json_t *json, bool init, struct group_spec *spec)
{
    struct group_container *c = &spec->containers[spec->n_containers++];
    const json_t *properties = json_object_get(json, "properties");

    c->init = init;
    c->name = text_at(json, "name");
    c->image = text_at(properties, "image");
    c->command = texts_at(op, properties, "command");
    if (c->command && !c->command[0])
        c->command = NULL;
    c->env = read_env(op, properties);
    read_mounts(op, properties, c);
    c->liveness = read_probe(op, properties, "livenessProbe");
    c->readiness = read_probe(op, properties, "readinessProbe");
    read_security(op, properties, c);
    read_resources(properties, c, spec);
}

static void read_containers(struct op *op, const json_t *properties, struct group_spec *spec)
{
    const json_t *inits = json_object_get(properties, "initContainers");
    const json_t *list = json_object_get(properties, "containers");
    size_t n = json_array_size(inits) + json_array_size(list);

    spec->containers = arena_alloc(&op->arena, (n + 1) * sizeof(*spec->containers));
    for (size_t i = 0; i < json_array_size(inits); i++)
        read_container(op, json_array_get(inits, i), true, spec);
    for (size_t i = 0; i < json_array_size(list); i++)
        read_container(op, json_array_get(list, i), false, spec);
}

/* ---- volumes ---- */

static void read_files(struct op *op, const json_t *secret, struct volume_spec *v)
{
    struct volume_file *files =
        arena_alloc(&op->arena, (json_object_size(secret) + 1) * sizeof(*files));
    const char *name;
    json_t *value;

    v->kind = VOLUME_FILES;
    json_object_foreach((json_t *)(uintptr_t)secret, name, value)
    {
        struct bytes content = {"", 0};

        base64_decode(&op->arena, json_string_value(value), false, &content);
        files[v->n_files++] = (struct volume_file){.path = name, .content = content};
    }
    v->files = files;
}

static void read_volume(struct op *op, const json_t *json, struct group_spec *spec)
{
    struct group_volume *v = &spec->volumes[spec->n_volumes++];
    const json_t *share = json_object_get(json, "azureFile");
    const json_t *secret = json_object_get(json, "secret");
    const json_t *git = json_object_get(json, "gitRepo");

    v->spec.name = text_at(json, "name");
    v->spec.kind = VOLUME_EMPTY;
    if (share) {
        v->spec.kind = VOLUME_SHARE;
        v->spec.account = text_at(share, "storageAccountName");
        v->spec.share = text_at(share, "shareName");
        v->key = text_at(share, "storageAccountKey");
        v->read_only = json_is_true(json_object_get(share, "readOnly"));
    } else if (git) {
        v->spec.kind = VOLUME_GIT;
        v->repository = text_at(git, "repository");
        v->revision = text_at(git, "revision");
        v->directory = text_at(git, "directory");
    } else if (secret) {
        read_files(op, secret, &v->spec);
    }
}

/* A share that is mounted read-only is so in every container. */
static void spread_read_only(struct group_spec *spec)
{
    for (size_t i = 0; i < spec->n_containers; i++)
        for (size_t j = 0; j < spec->containers[i].n_mounts; j++)
            for (size_t k = 0; k < spec->n_volumes; k++)
                if (spec->volumes[k].read_only && spec->containers[i].mounts[j].volume &&
                    strcmp(spec->containers[i].mounts[j].volume, spec->volumes[k].spec.name) == 0)
                    spec->containers[i].mounts[j].read_only = true;
}

/* ---- the rest ---- */

static void read_credentials(struct op *op, const json_t *properties, struct group_spec *spec)
{
    const json_t *list = json_object_get(properties, "imageRegistryCredentials");

    spec->credentials =
        arena_alloc(&op->arena, (json_array_size(list) + 1) * sizeof(*spec->credentials));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);

        if (text_at(one, "username"))
            spec->credentials[spec->n_credentials++] = (struct image_credential){
                .server = text_at(one, "server"),
                .username = text_at(one, "username"),
                .password = text_at(one, "password") ? text_at(one, "password") : "",
            };
    }
}

static void read_ports(struct op *op, const json_t *properties, struct group_spec *spec)
{
    const json_t *list = json_object_get(json_object_get(properties, "ipAddress"), "ports");

    spec->ports = arena_alloc(&op->arena, (json_array_size(list) + 1) * sizeof(*spec->ports));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *protocol = text_at(json_array_get(list, i), "protocol");

        spec->ports[spec->n_ports++] = (struct sandbox_port){
            .port = (int)int_at(json_array_get(list, i), "port", 0),
            .udp = protocol && strcmp(protocol, "UDP") == 0,
        };
    }
}

static enum restart_policy policy_of(const char *word)
{
    if (word && strcmp(word, "OnFailure") == 0)
        return RESTART_ON_FAILURE;
    return word && strcmp(word, "Never") == 0 ? RESTART_NEVER : RESTART_ALWAYS;
}

enum fault group_spec_read(struct op *op, json_t *document, struct group_spec *ret)
{
    const json_t *properties = json_object_get(document, "properties"), *dns, *volumes;
    struct group_spec spec = {0};

    if (!json_is_object(properties))
        return fail(op, INTERNAL, "a container group's document is damaged");
    spec.restart = policy_of(text_at(properties, "restartPolicy"));
    read_containers(op, properties, &spec);
    volumes = json_object_get(properties, "volumes");
    spec.volumes = arena_alloc(&op->arena, (json_array_size(volumes) + 1) * sizeof(*spec.volumes));
    for (size_t i = 0; i < json_array_size(volumes); i++)
        read_volume(op, json_array_get(volumes, i), &spec);
    spread_read_only(&spec);
    read_credentials(op, properties, &spec);
    read_ports(op, properties, &spec);
    dns = json_object_get(properties, "dnsConfig");
    spec.nameservers = texts_at(op, dns, "nameServers");
    spec.searches = words_at(op, dns, "searchDomains");
    spec.options = words_at(op, dns, "options");
    *ret = spec;
    return OK;
}
