/* The limits of container groups, and what must fit together (facts §5.4). All INVALID or
   UNSUPPORTED with code and target; nothing has been made yet. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "api/body.h"
#include "api/container_instance.h"
#include "core/json.h"
#include "core/seal.h"
#include "core/server.h"
#include "instances/oci_spec.h"

#define CONTAINERS_MAX 60
#define VOLUMES_MAX    20
#define PORTS_MAX      5
#define CPU_MAX        4.0
#define GB_MAX         16.0
#define PATH_MAX_BYTES 1024

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

static enum fault bad(struct op *op, const char *code, const char *target, const char *message)
{
    return arm_fail_at(op, code, INVALID, target, "%s", message);
}

static enum fault not_here(struct op *op, const char *target, const char *what)
{
    return arm_fail_at(op, "NotSupported", UNSUPPORTED, target,
                       "%s is not supported by this Sundog (docs/azure-coverage.md)", what);
}

static const char *text_at(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

/* ^[set]([-set]*[set])?$ of min to max bytes; inner: what else may stand inside. */
static bool is_name(const char *s, const char *set, const char *inner, size_t min, size_t max)
{
    size_t len = strlen(s);

    if (len < min || len > max || !strchr(set, s[0]) || !strchr(set, s[len - 1]))
        return false;
    for (size_t i = 0; i < len; i++)
        if (!strchr(set, s[i]) && !strchr(inner, s[i]))
            return false;
    return true;
}

/* Another member of a list before this one with the same text there. */
static bool is_repeated(const json_t *list, size_t at, const char *member)
{
    const char *name = text_at(json_array_get(list, at), member);

    for (size_t i = 0; i < at; i++)
        if (strcasecmp(text_at(json_array_get(list, i), member), name) == 0)
            return true;
    return false;
}

/* ---- containers ---- */

static enum fault check_name(struct op *op, const char *name, const char *target)
{
    if (is_name(name, LOWER DIGITS, "-", 1, 63))
        return OK;
    return bad(op, "InvalidContainerName", target,
               arena_printf(&op->arena,
                            "The container name '%.100s' is not valid: 1 to 63 lower-case letters, "
                            "digits and, inside, hyphens.",
                            name));
}

static enum fault check_names(struct op *op, const json_t *first, const json_t *list,
                              const char *path)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = text_at(json_array_get(list, i), "name");
        const char *target = arena_printf(&op->arena, "%s[%zu].name", path, i);
        bool twice = is_repeated(list, i, "name");

        TRY(check_name(op, name, target));
        for (size_t j = 0; j < json_array_size(first); j++)
            twice = twice || strcmp(text_at(json_array_get(first, j), "name"), name) == 0;
        if (twice)
            return bad(op, "DuplicateContainerName", target,
                       arena_printf(&op->arena,
                                    "There is more than one container named '%s' in the "
                                    "container group.",
                                    name));
    }
    return OK;
}

static enum fault check_env(struct op *op, const json_t *properties, const char *path)
{
    const json_t *list = json_object_get(properties, "environmentVariables");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *name = text_at(one, "name");
        const char *target = arena_printf(&op->arena, "%s.environmentVariables[%zu]", path, i);

        /* the cloud asks for letters, digits and inner "_"; programs know dots, too */
        if (strlen(name) > 1023 ||
            name[strspn(name, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "_.-")])
            return bad(op, "InvalidEnvironmentVariableName", target,
                       arena_printf(&op->arena,
                                    "The environment variable name '%.100s' is not valid.", name));
        if (is_repeated(list, i, "name"))
            return bad(
                op, "DuplicateEnvironmentVariable", target,
                arena_printf(&op->arena, "The environment variable '%s' is there twice.", name));
        if (json_object_get(one, "value") && json_object_get(one, "secureValue"))
            return bad(op, "InvalidEnvironmentVariable", target,
                       "An environment variable has a value or a secureValue, not both.");
        if (json_object_get(one, "secureValueReference"))
            return not_here(op, target, "a secureValueReference");
    }
    return OK;
}

static enum fault check_amount(struct op *op, const json_t *object, const char *name, double step,
                               double max, const char *path)
{
    const json_t *value = json_object_get(object, name);
    const char *target = arena_printf(&op->arena, "%s.%s", path, name);
    double n = json_number_value(value), steps = n / step;
    int64_t whole = n > 0 && n <= max ? (int64_t)(steps + 0.5) : 0;

    if (!value)
        return OK;
    if (!(n > 0) || (n <= max && steps - (double)whole > 1e-6) ||
        (n <= max && (double)whole - steps > 1e-6))
        return bad(op, "InvalidResourceRequests", target,
                   arena_printf(&op->arena,
                                "The value %g of '%s' is not valid: it must be a multiple of %g "
                                "above 0.",
                                n, name, step));
    if (n > max + 1e-9)
        return bad(op, "ResourceRequestsExceeded", target,
                   arena_printf(&op->arena,
                                "The value %g of '%s' exceeds the limit of %g of a container "
                                "group.",
                                n, name, max));
    return OK;
}

static enum fault check_resources(struct op *op, const json_t *properties, const char *path)
{
    static const char *const kinds[] = {"requests", "limits"};
    const json_t *resources = json_object_get(properties, "resources");

    for (int i = 0; i < 2; i++) {
        const json_t *one = json_object_get(resources, kinds[i]);
        const char *at = arena_printf(&op->arena, "%s.resources.%s", path, kinds[i]);

        if (json_object_get(one, "gpu"))
            return not_here(op, at, "a GPU");
        TRY(check_amount(op, one, "cpu", 0.01, CPU_MAX, at));
        TRY(check_amount(op, one, "memoryInGB", 0.1, GB_MAX, at));
    }
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "memoryInGB" : "cpu";
        double request =
            json_number_value(json_object_get(json_object_get(resources, "requests"), name));
        const json_t *limit = json_object_get(json_object_get(resources, "limits"), name);

        if (limit && json_number_value(limit) < request)
            return bad(op, "InvalidResourceLimits",
                       arena_printf(&op->arena, "%s.resources.limits.%s", path, name),
                       "A limit is not below what is requested.");
    }
    return OK;
}

static enum fault check_mounts(struct op *op, const json_t *properties, const json_t *volumes,
                               const char *path)
{
    const json_t *list = json_object_get(properties, "volumeMounts");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *name = text_at(one, "name"), *where = text_at(one, "mountPath");
        const char *target = arena_printf(&op->arena, "%s.volumeMounts[%zu]", path, i);
        bool found = false;

        for (size_t j = 0; j < json_array_size(volumes); j++)
            found = found || strcmp(text_at(json_array_get(volumes, j), "name"), name) == 0;
        if (!found)
            return bad(op, "VolumeNotFound", target,
                       arena_printf(&op->arena,
                                    "The volume '%s' that is mounted at '%s' is not among the "
                                    "volumes of the container group.",
                                    name, where));
        if (*where != '/' || strchr(where, ':') || strlen(where) > PATH_MAX_BYTES ||
            strstr(where, "/../") || !where[1])
            return bad(op, "InvalidVolumeMountPath", target,
                       arena_printf(&op->arena,
                                    "The mount path '%.200s' is not valid: an absolute path "
                                    "without ':'.",
                                    where));
        if (is_repeated(list, i, "mountPath"))
            return bad(op, "DuplicateVolumeMountPath", target,
                       arena_printf(&op->arena, "Two volumes are mounted at '%s'.", where));
    }
    return OK;
}

static enum fault check_probe(struct op *op, const json_t *properties, const char *name,
                              const char *path)
{
    const json_t *probe = json_object_get(properties, name);
    const json_t *exec = json_object_get(probe, "exec"), *get = json_object_get(probe, "httpGet");
    const char *target = arena_printf(&op->arena, "%s.%s", path, name);

    if (!probe)
        return OK;
    if (!exec == !get)
        return bad(op, "InvalidProbe", target, "A probe has either exec or httpGet.");
    if (exec && !json_array_size(json_object_get(exec, "command")))
        return bad(op, "InvalidProbe", target, "The probe's exec has no command.");
    if (get && strpbrk(text_at(get, "path"), " \r\n\t"))
        return bad(op, "InvalidProbe", target, "The probe's path holds blanks.");
    if (strcmp(name, "livenessProbe") == 0 &&
        json_integer_value(json_object_get(probe, "successThreshold")) > 1)
        return bad(op, "InvalidProbe", target, "A liveness probe's successThreshold must be 1.");
    return OK;
}

static enum fault check_seccomp(struct op *op, const json_t *properties, const char *path)
{
    const char *profile = text_at(json_object_get(properties, "securityContext"), "seccompProfile");
    struct bytes plain;
    json_t *object;

    if (*profile && (!base64_decode(&op->arena, profile, false, &plain) ||
                     json_parse(op, plain, &object) != OK || !json_is_object(object)))
        return bad(op, "InvalidSeccompProfile",
                   arena_printf(&op->arena, "%s.securityContext.seccompProfile", path),
                   "The seccomp profile must be a JSON object in base64.");
    return OK;
}

/* In the cloud, too, these are for confidential groups only. */
static enum fault check_powers(struct op *op, const json_t *properties, const char *path)
{
    const json_t *context = json_object_get(properties, "securityContext");
    const json_t *add = json_object_get(json_object_get(context, "capabilities"), "add");
    const char **names = arena_alloc(&op->arena, (json_array_size(add) + 1) * sizeof(*names));
    struct container_spec spec = {.cap_add = names};

    if (server_settings && server_settings->privileged_containers)
        return OK;
    for (size_t i = 0; i < json_array_size(add); i++)
        names[i] = json_string_value(json_array_get(add, i));
    spec.privileged = json_is_true(json_object_get(context, "privileged"));
    spec.seccomp = *text_at(context, "seccompProfile") ? "{}" : NULL;
    if (oci_is_plain(op, &spec) == OK)
        return OK;
    return arm_fail_at(op, "PrivilegedContainersNotAllowed", FORBIDDEN,
                       arena_printf(&op->arena, "%s.securityContext.%s", path, op->noun), "%s",
                       op->message);
}

static enum fault check_containers(struct op *op, const json_t *list, const json_t *volumes,
                                   const char *path)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *properties = json_object_get(json_array_get(list, i), "properties");
        const char *at = arena_printf(&op->arena, "%s[%zu].properties", path, i);

        TRY(check_env(op, properties, at));
        TRY(check_resources(op, properties, at));
        TRY(check_mounts(op, properties, volumes, at));
        TRY(check_probe(op, properties, "livenessProbe", at));
        TRY(check_probe(op, properties, "readinessProbe", at));
        TRY(check_seccomp(op, properties, at));
        TRY(check_powers(op, properties, at));
    }
    return OK;
}

static enum fault check_total(struct op *op, const json_t *containers)
{
    static const struct {
        const char *name;
        double max;
    } kinds[] = {
        {"cpu",        CPU_MAX},
        {"memoryInGB", GB_MAX }
    };

    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        double total = 0;

        for (size_t i = 0; i < json_array_size(containers); i++)
            total += json_number_value(body_at(
                json_array_get(containers, i),
                arena_printf(&op->arena, "properties.resources.requests.%s", kinds[k].name)));
        if (total > kinds[k].max + 1e-9)
            return bad(op, "ResourceRequestsExceeded", "properties.containers",
                       arena_printf(&op->arena,
                                    "The containers ask for %g of '%s' together; the limit of a "
                                    "container group is %g.",
                                    total, kinds[k].name, kinds[k].max));
    }
    return OK;
}

/* ---- ports and addresses ---- */

static bool same_port(const json_t *a, const json_t *b)
{
    return json_integer_value(json_object_get(a, "port")) ==
               json_integer_value(json_object_get(b, "port")) &&
           strcmp(text_at(a, "protocol"), text_at(b, "protocol")) == 0;
}

/* How many of the group's containers expose it? */
static int exposed(const json_t *containers, const json_t *port)
{
    int n = 0;

    for (size_t i = 0; i < json_array_size(containers); i++) {
        const json_t *ports = body_at(json_array_get(containers, i), "properties.ports");

        for (size_t j = 0; j < json_array_size(ports); j++)
            n += same_port(json_array_get(ports, j), port);
    }
    return n;
}

static enum fault check_ports(struct op *op, const json_t *containers, const json_t *ip)
{
    const json_t *list = json_object_get(ip, "ports");

    for (size_t i = 0; i < json_array_size(containers); i++) {
        const json_t *ports = body_at(json_array_get(containers, i), "properties.ports");

        for (size_t j = 0; j < json_array_size(ports); j++)
            if (exposed(containers, json_array_get(ports, j)) > 1)
                return bad(
                    op, "DuplicateContainerPorts",
                    arena_printf(&op->arena, "properties.containers[%zu].properties.ports", i),
                    "Containers of a group share its network: a port can be one "
                    "container's only.");
    }
    if (json_array_size(list) > PORTS_MAX)
        return bad(op, "TooManyPorts", "properties.ipAddress.ports",
                   "An IP address has 5 ports at most.");
    if (ip && !json_array_size(list))
        return bad(op, "InvalidIPAddressPorts", "properties.ipAddress.ports",
                   "An IP address needs at least one port.");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *port = json_array_get(list, i);

        for (size_t j = 0; j < i; j++)
            if (same_port(port, json_array_get(list, j)))
                return bad(op, "DuplicatePorts", "properties.ipAddress.ports",
                           "The ports of an IP address must differ.");
        if (!exposed(containers, port))
            return bad(op, "InvalidIPAddressPorts",
                       arena_printf(&op->arena, "properties.ipAddress.ports[%zu]", i),
                       arena_printf(&op->arena,
                                    "The port %lld/%s of the IP address is exposed by no "
                                    "container of the group.",
                                    (long long)json_integer_value(json_object_get(port, "port")),
                                    text_at(port, "protocol")));
    }
    return OK;
}

static enum fault check_address(struct op *op, const json_t *properties)
{
    const json_t *ip = json_object_get(properties, "ipAddress");
    bool is_public = strcmp(text_at(ip, "type"), "Public") == 0;
    const char *label = text_at(ip, "dnsNameLabel");
    bool in_subnet = json_array_size(json_object_get(properties, "subnetIds")) > 0 ||
                     json_object_get(properties, "networkProfile");

    if (is_public && in_subnet)
        return bad(op, "PrivateIPAddressRequired", "properties.ipAddress.type",
                   "A container group in a virtual network cannot have a public IP address.");
    if (*label && !is_public)
        return bad(op, "InvalidDnsNameLabel", "properties.ipAddress.dnsNameLabel",
                   "A DNS name label needs a public IP address.");
    if (*label && !(is_name(label, LOWER DIGITS, "-", 5, 63) && isalpha((unsigned char)*label)))
        return bad(op, "InvalidDnsNameLabel", "properties.ipAddress.dnsNameLabel",
                   arena_printf(&op->arena,
                                "The DNS name label '%.100s' is not valid: 5 to 63 lower-case "
                                "letters, digits and, inside, hyphens; the first a letter.",
                                label));
    return OK;
}

/* ---- volumes, credentials, the rest ---- */

static enum fault check_volume(struct op *op, const json_t *v, const char *at)
{
    static const char *const kinds[] = {"azureFile", "emptyDir", "secret", "gitRepo",
                                        "secretReference"};
    const json_t *git = json_object_get(v, "gitRepo"), *share = json_object_get(v, "azureFile");
    const char *name;
    json_t *value;
    int n = 0;

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        n += json_object_get(v, kinds[i]) != NULL;
    if (n != 1)
        return bad(op, "InvalidVolume", at,
                   "A volume is exactly one of azureFile, emptyDir, secret, gitRepo.");
    if (json_object_get(v, "secretReference") ||
        json_object_get(share, "storageAccountKeyReference"))
        return not_here(op, at, "a reference to a secret of a key vault");
    if (git && (strstr(text_at(git, "directory"), "..") || *text_at(git, "directory") == '/'))
        return bad(op, "InvalidVolume", at, "A gitRepo's directory must not leave the volume.");
    if (git && strncasecmp(text_at(git, "repository"), "https://", 8) != 0 &&
        strncasecmp(text_at(git, "repository"), "http://", 7) != 0)
        return bad(op, "InvalidVolume", at, "A gitRepo's repository must be an http or https URL.");
    if (share && (!is_name(text_at(share, "shareName"), LOWER DIGITS, "-", 1, 63) ||
                  !is_name(text_at(share, "storageAccountName"), LOWER DIGITS, "-", 1, 63)))
        return bad(op, "InvalidVolume", at,
                   "Names of shares and storage accounts are lower-case letters, digits and "
                   "hyphens.");
    json_object_foreach(json_object_get(v, "secret"), name, value)
    {
        struct bytes plain;

        if (!*name || strchr(name, '/') || strcmp(name, "..") == 0 || strcmp(name, ".") == 0 ||
            strlen(name) > 255)
            return bad(op, "InvalidVolume", at, "A secret's name must be a file's name.");
        if (!base64_decode(&op->arena, json_string_value(value), false, &plain))
            return bad(op, "InvalidVolume", at,
                       arena_printf(&op->arena, "The secret '%s' is not base64.", name));
    }
    return OK;
}

static enum fault check_volumes(struct op *op, const json_t *volumes)
{
    if (json_array_size(volumes) > VOLUMES_MAX)
        return bad(op, "TooManyVolumes", "properties.volumes",
                   "A container group has 20 volumes at most.");
    for (size_t i = 0; i < json_array_size(volumes); i++) {
        const char *at = arena_printf(&op->arena, "properties.volumes[%zu]", i);
        const char *name = text_at(json_array_get(volumes, i), "name");

        if (!is_name(name, LOWER DIGITS, "-", 1, 63))
            return bad(op, "InvalidVolumeName", at,
                       arena_printf(&op->arena,
                                    "The volume name '%.100s' is not valid: up to 63 lower-case "
                                    "letters, digits and, inside, hyphens.",
                                    name));
        if (is_repeated(volumes, i, "name"))
            return bad(op, "DuplicateVolumeName", at,
                       arena_printf(&op->arena, "There is more than one volume named '%s'.", name));
        TRY(check_volume(op, json_array_get(volumes, i), at));
    }
    return OK;
}

static enum fault check_credentials(struct op *op, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *at = arena_printf(&op->arena, "properties.imageRegistryCredentials[%zu]", i);
        const char *server = text_at(one, "server");

        if (strstr(server, "://") || strpbrk(server, "/ @"))
            return bad(op, "InvalidImageRegistryCredentials", at,
                       arena_printf(&op->arena,
                                    "The server '%.100s' must be a host name without a scheme.",
                                    server));
        if (json_object_get(one, "passwordReference"))
            return not_here(op, at, "a passwordReference");
        if (json_object_get(one, "identity"))
            return not_here(op, at, "a user-assigned identity");
        if (!*text_at(one, "username"))
            return bad(op, "InvalidImageRegistryCredentials", at,
                       "An image registry credential needs a username.");
        if (is_repeated(list, i, "server"))
            return bad(op, "DuplicateImageRegistryCredentials", at,
                       arena_printf(&op->arena, "There are two credentials for '%s'.", server));
    }
    return OK;
}

static enum fault check_dns(struct op *op, const json_t *dns)
{
    const json_t *servers = json_object_get(dns, "nameServers");

    for (size_t i = 0; i < json_array_size(servers); i++) {
        const char *s = json_string_value(json_array_get(servers, i));

        if (!*s || s[strspn(s, "0123456789abcdefABCDEF.:")] || strlen(s) > 45)
            return bad(op, "InvalidDnsConfig", "properties.dnsConfig.nameServers",
                       arena_printf(&op->arena, "'%.60s' is not an IP address.", s));
    }
    if (strpbrk(text_at(dns, "searchDomains"), "\r\n") || strpbrk(text_at(dns, "options"), "\r\n"))
        return bad(op, "InvalidDnsConfig", "properties.dnsConfig", "It must be one line.");
    return OK;
}

static enum fault check_unsupported(struct op *op, const json_t *p)
{
    static const char *const members[] = {"containerGroupProfile", "standbyPoolProfile",
                                          "secretReferences"};

    if (strcmp(text_at(p, "osType"), "Windows") == 0)
        return not_here(op, "properties.osType", "the operating system Windows");
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (json_object_get(p, members[i]))
            return not_here(op, arena_printf(&op->arena, "properties.%s", members[i]), members[i]);
    return OK;
}

enum fault container_group_check(struct op *op, const char *name, const json_t *p)
{
    const json_t *containers = json_object_get(p, "containers");
    const json_t *inits = json_object_get(p, "initContainers");
    const json_t *volumes = json_object_get(p, "volumes");

    if (!is_name(name, LOWER DIGITS, "-", 1, 63))
        return bad(op, "InvalidContainerGroupName", "name",
                   arena_printf(&op->arena,
                                "The container group name '%.100s' is not valid: 1 to 63 "
                                "lower-case letters, digits and, inside, hyphens.",
                                name));
    if (!json_array_size(containers))
        return bad(op, "ContainersNotSpecified", "properties.containers",
                   "A container group needs at least one container.");
    if (json_array_size(containers) + json_array_size(inits) > CONTAINERS_MAX)
        return bad(op, "TooManyContainers", "properties.containers",
                   "A container group has 60 containers at most.");
    TRY(check_unsupported(op, p));
    TRY(check_names(op, NULL, inits, "properties.initContainers"));
    TRY(check_names(op, inits, containers, "properties.containers"));
    TRY(check_volumes(op, volumes));
    TRY(check_containers(op, inits, volumes, "properties.initContainers"));
    TRY(check_containers(op, containers, volumes, "properties.containers"));
    TRY(check_total(op, containers));
    TRY(check_address(op, p));
    TRY(check_ports(op, containers, json_object_get(p, "ipAddress")));
    TRY(check_credentials(op, json_object_get(p, "imageRegistryCredentials")));
    return check_dns(op, json_object_get(p, "dnsConfig"));
}
