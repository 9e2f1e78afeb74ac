/*
 * Names of images as users write them, and which registry each means.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "instances/image.h"
#include "registry/names.h"
#include "registry/target.h"

#define NAME_MAX_BYTES 1024
#define HOST_MAX       255
#define DOCKER_HUB     "docker.io"

#define ADDRESSES (2 * LISTEN_MAX)

static const struct settings *settings;
static char addresses[ADDRESSES + 1][64]; /* where we listen; "" ends */

void image_name_start(const struct settings *s, const char *const *listening)
{
    size_t n = 0;

    for (; *listening && n < ADDRESSES; listening++)
        snprintf(addresses[n++], sizeof(addresses[0]), "%s", *listening);
    addresses[n][0] = '\0';
    settings = s;
}

static enum fault no_name(struct op *op, const char *text)
{
    return fail_on(op, "image", INVALID, "\"%.300s\" is no name of an image", text);
}

static const char *lower(struct op *op, const char *text, size_t len)
{
    char *copy = arena_strndup(&op->arena, text, len);

    for (char *c = copy; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return copy;
}

/* ---- hosts ---- */

/* As docker tells them from a first part of the path. */
static bool is_host(const char *text, size_t len)
{
    if (memchr(text, '.', len) || memchr(text, ':', len) ||
        (len == 9 && strncasecmp(text, "localhost", 9) == 0))
        return true;
    for (size_t i = 0; i < len; i++)
        if (isupper((unsigned char)text[i]))
            return true;
    return false;
}

static bool host_is_valid(const char *host)
{
    const char *port;
    size_t len = strlen(host), name;

    if (len == 0 || len > HOST_MAX)
        return false;
    if (host[0] == '[') {
        name = 1 + strspn(host + 1, "0123456789abcdef:.");
        if (name == 1 || host[name++] != ']')
            return false;
    } else {
        name = strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-");
        if (name == 0 || host[0] == '-' || host[0] == '.')
            return false;
    }
    port = host + name;
    return !*port || (*port == ':' && port[1] && strlen(port) <= 6 &&
                      strspn(port + 1, "0123456789") == strlen(port + 1));
}

/* "127.0.0.1:8443" → its name's length; *ret_port is "" when there is none. */
static size_t split_port(const char *host, const char **ret_port)
{
    size_t len = host[0] == '[' ? strcspn(host, "]") : 0;

    len += strcspn(host + len, ":");
    *ret_port = host[len] == ':' ? host + len + 1 : "";
    return len;
}

static bool is_loopback(const char *host, size_t len)
{
    return (len == 9 && strncmp(host, "localhost", 9) == 0) || strncmp(host, "127.", 4) == 0 ||
           (len == 5 && strncmp(host, "[::1]", 5) == 0) ||
           (len > 10 && strncmp(host + len - 10, ".localhost", 10) == 0);
}

static bool is_any(const char *address, size_t len)
{
    return (len == 1 && *address == '*') || (len == 7 && strncmp(address, "0.0.0.0", 7) == 0) ||
           (len == 4 && strncmp(address, "[::]", 4) == 0);
}

/* Does host, with its port or a scheme's own, reach what listens at address? */
static bool reaches(const char *host, const char *address)
{
    const char *host_port, *port;
    size_t host_len = split_port(host, &host_port), len = split_port(address, &port);

    if (*host_port ? strcmp(host_port, port) != 0
                   : strcmp(port, "443") != 0 && strcmp(port, "80") != 0)
        return false;
    if (host_len == len && strncasecmp(host, address, len) == 0)
        return true;
    if (is_loopback(host, host_len))
        return is_loopback(address, len) || is_any(address, len);
    for (size_t i = 0; settings->tls_names[i]; i++)
        if (strlen(settings->tls_names[i]) == host_len &&
            strncasecmp(host, settings->tls_names[i], host_len) == 0)
            return true;
    return false;
}

static bool is_public_url(const char *host)
{
    const char *start = settings->public_url ? strstr(settings->public_url, "://") : NULL;

    return start && strcspn(start + 3, "/") == strlen(host) &&
           strncasecmp(start + 3, host, strlen(host)) == 0;
}

static bool is_ours(const char *host)
{
    if (!settings)
        return false;
    for (size_t i = 0; addresses[i][0]; i++)
        if (reaches(host, addresses[i]))
            return true;
    return is_public_url(host);
}

static bool is_docker_hub(const char *host)
{
    return strcmp(host, DOCKER_HUB) == 0 || strcmp(host, "index.docker.io") == 0 ||
           strcmp(host, "registry-1.docker.io") == 0 ||
           strcmp(host, "registry.hub.docker.com") == 0;
}

/* ---- names ---- */

/* "app:1@sha256:…" → the repository's length and the reference. */
static enum fault split_reference(struct op *op, const char *text, const char *rest,
                                  const char **ret_repository, const char **ret_reference)
{
    const char *at = strchr(rest, '@'), *end = at ? at : rest + strlen(rest), *colon = end;
    const char *tag = NULL;

    while (colon > rest && colon[-1] != '/' && colon[-1] != ':')
        colon--;
    if (colon > rest && colon[-1] == ':') {
        tag = arena_strndup(&op->arena, colon, (size_t)(end - colon));
        end = colon - 1;
    }
    if ((tag && !tag_is_valid(tag)) || (at && !digest_is_valid(at + 1)))
        return no_name(op, text);
    *ret_repository = arena_strndup(&op->arena, rest, (size_t)(end - rest));
    *ret_reference = at ? at + 1 : tag ? tag : "latest";
    return OK;
}

/* "sundog/app" at a host of ours. */
static enum fault split_path(struct op *op, struct image_name *name)
{
    size_t len = strcspn(name->repository, "/");
    const char *registry = arena_strndup(&op->arena, name->repository, len);

    if (!name->repository[len] || !registry_name_is_valid(registry))
        return fail_on(op, "image", INVALID,
                       "\"%.300s\" names no registry: at %s it comes first, as in %s/NAME/%s",
                       name->text, name->host, name->host, name->repository);
    name->registry = registry;
    name->repository += len + 1;
    name->by_path = true;
    return OK;
}

static enum fault find_registry(struct op *op, struct image_name *name)
{
    const char *label = host_registry(&op->arena, name->host);

    if (label && !registry_name_is_valid(label))
        return no_name(op, name->text);
    if (label) {
        name->registry = label;
        return OK;
    }
    if (is_ours(name->host))
        return split_path(op, name);
    if (!is_docker_hub(name->host))
        return OK;
    name->host = DOCKER_HUB;
    if (!strchr(name->repository, '/'))
        name->repository = arena_printf(&op->arena, "library/%s", name->repository);
    if (!repository_name_is_valid(name->repository)) /* too long now */
        return no_name(op, name->text);
    return OK;
}

enum fault image_name_parse(struct op *op, const char *text, struct image_name *ret)
{
    size_t len = strcspn(text, "/");
    struct image_name name = {.host = DOCKER_HUB, .text = text};
    const char *rest = text;

    if (strlen(text) > NAME_MAX_BYTES)
        return no_name(op, text);
    if (strstr(text, "://"))
        return fail_on(op, "image", INVALID, "\"%.300s\" is no name of an image: it begins with %s",
                       text, "a host, without https://");
    if (text[len] && is_host(text, len)) {
        name.host = lower(op, text, len);
        rest = text + len + 1;
        if (!host_is_valid(name.host))
            return no_name(op, text);
    }
    TRY(split_reference(op, text, rest, &name.repository, &name.reference));
    if (!repository_name_is_valid(name.repository))
        return no_name(op, text);
    TRY(find_registry(op, &name));
    *ret = name;
    return OK;
}

bool image_server_is(struct op *op, const char *server, const struct image_name *name)
{
    const char *start = strstr(server, "://"), *host, *label;

    start = start ? start + 3 : server;
    host = lower(op, start, strcspn(start, "/"));
    label = host_registry(&op->arena, host);
    if (name->registry && label)
        return strcasecmp(label, name->registry) == 0;
    if (name->registry)
        return is_ours(host);
    return strcmp(host, name->host) == 0 || (is_docker_hub(host) && is_docker_hub(name->host));
}
