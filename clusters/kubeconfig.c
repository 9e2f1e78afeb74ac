/*
 *~ Kubeconfigs. Their server must be reachable from where they were asked for, whatever stands in
 *~ between. Who reached a listener of ours directly (the Host names the very address and port that
 *~ the connection came to) reaches the cluster's own port just so, and that works with every
 *client. ~ Everybody else (a mapped port, another name, a proxy) gets the address they used, and a
 *~ tls-server-name by which the common listener knows the cluster.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/entra.h"
#include "clusters/cluster_keys.h"
#include "clusters/managed_cluster_rows.h"
#include "core/json.h"
#include "core/seal.h"
#include "core/server.h"

#define CLIENT_DAYS    730
#define AKS_SERVER_APP "6dae42f8-4368-4678-94ff-3960e28e3630" /* what AKS's tokens are for */
#define AKS_CLIENT_APP "80faf920-1908-4b52-b5ef-a8e7bedfc67a"

/* ---- the server ---- */

/* "[::1]:8443" → "::1" and 8443; without a port: that of https. */
static const char *split_host(struct op *op, const char *host, int *ret_port)
{
    const char *end = strrchr(host, ':');
    size_t len = strlen(host);

    *ret_port = 443;
    if (host[0] == '[') {
        const char *close = strchr(host, ']');

        if (!close)
            return host;
        if (close[1] == ':')
            *ret_port = (int)strtol(close + 2, NULL, 10);
        return arena_strndup(&op->arena, host + 1, (size_t)(close - host - 1));
    }
    if (end && strchr(host, ':') == end) {
        *ret_port = (int)strtol(end + 1, NULL, 10);
        len = (size_t)(end - host);
    }
    return arena_strndup(&op->arena, host, len);
}

static bool same_address(const char *a, const char *b)
{
    unsigned char left[16], right[16];

    if (inet_pton(AF_INET, a, left) == 1)
        return inet_pton(AF_INET, b, right) == 1 && memcmp(left, right, 4) == 0;
    return inet_pton(AF_INET6, a, left) == 1 && inet_pton(AF_INET6, b, right) == 1 &&
           memcmp(left, right, 16) == 0;
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

struct server {
    const char *url, *name; /* name: tls-server-name, or NULL */
};

static const char *bracketed(struct op *op, const char *host)
{
    return strchr(host, ':') ? arena_printf(&op->arena, "[%s]", host) : host;
}

static struct server server_of(struct call *c, const struct managed_cluster *m)
{
    struct op *op = &c->op;
    const char *base = strstr(c->base_url, "://") ? strstr(c->base_url, "://") + 3 : c->host;
    const char *local = c->local ? c->local : "", *host, *here;
    struct server server = {0};
    int port, here_port;
    bool direct;

    host = split_host(op, base, &port);
    here = split_host(op, local, &here_port);
    direct = port == here_port && (same_address(host, here) ||
                                   (strcasecmp(host, "localhost") == 0 && is_loopback(here)));
    if (direct) {
        server.url =
            arena_printf(&op->arena, "https://%s:%d", bracketed(op, host), (int)m->api_port);
        return server;
    }
    if (strncmp(c->base_url, "https://", 8) != 0) /* through a plain listener: TLS is elsewhere */
        split_host(op, server_settings->listen[0] ? server_settings->listen[0] : "", &port);
    server.url = arena_printf(&op->arena, "https://%s:%d", bracketed(op, host), port);
    server.name = m->fqdn;
    return server;
}

const char *managed_cluster_address(struct call *c, const struct managed_cluster *m)
{
    return m->api_port > 0 ? server_of(c, m).url : NULL;
}

/* ---- the file ---- */

static void line(struct text *out, const char *before, const char *value)
{
    text_str(out, before);
    json_quote(out, value); /* a JSON string is a YAML one */
    text_str(out, "\n");
}

static void add_cluster(struct op *op, struct text *out, const struct managed_cluster *m,
                        const struct server *server)
{
    text_str(out, "apiVersion: v1\nclusters:\n- cluster:\n");
    line(out, "    certificate-authority-data: ", base64_encode(&op->arena, BYTES(m->ca), false));
    line(out, "    server: ", server->url);
    if (server->name)
        line(out, "    tls-server-name: ", server->name);
    line(out, "  name: ", m->name);
}

/* Named like the cluster for every user: az adds "-admin" to an administrator's itself. */
static void add_context(struct text *out, const struct managed_cluster *m, const char *user)
{
    text_str(out, "contexts:\n- context:\n");
    line(out, "    cluster: ", m->name);
    line(out, "    user: ", user);
    line(out, "  name: ", m->name);
    line(out, "current-context: ", m->name);
    text_str(out, "kind: Config\npreferences: {}\nusers:\n");
    line(out, "- name: ", user);
    text_str(out, "  user:\n");
}

static enum fault add_certificate(struct op *op, struct text *out, const struct managed_cluster *m)
{
    static const char *const masters[] = {"system:masters", NULL};
    const char *text, *certificate, *key;
    struct cluster_keys keys;

    TRY(managed_cluster_unseal_keys(op, m, &text));
    TRY(cluster_keys_read(op, m->ca, text, &keys));
    TRY(cluster_client_certificate(op, keys.ca, keys.ca_key, "masterclient", masters, CLIENT_DAYS,
                                   &certificate, &key));
    line(out,
         "    client-certificate-data: ", base64_encode(&op->arena, BYTES(certificate), false));
    line(out, "    client-key-data: ", base64_encode(&op->arena, BYTES(key), false));
    return OK;
}

/* kubelogin, as AKS has it for clusters with Entra users. */
static void add_exec(struct text *out)
{
    text_str(out, "    exec:\n      apiVersion: client.authentication.k8s.io/v1beta1\n"
                  "      args:\n      - get-token\n      - --environment\n"
                  "      - AzurePublicCloud\n      - --server-id\n      - " AKS_SERVER_APP "\n"
                  "      - --client-id\n      - " AKS_CLIENT_APP "\n      - --tenant-id\n");
    line(out, "      - ", entra_tenant());
    text_str(out, "      - --login\n      - devicecode\n      command: kubelogin\n"
                  "      env: null\n      provideClusterInfo: false\n"
                  "      interactiveMode: IfAvailable\n");
}

enum fault managed_cluster_kubeconfig(struct call *c, const struct managed_cluster *m,
                                      enum kubeconfig_kind kind, const char **ret)
{
    struct op *op = &c->op;
    bool admin = kind == KUBECONFIG_ADMIN;
    const char *user = arena_printf(&op->arena, "cluster%s_%s_%s", admin ? "Admin" : "User",
                                    m->resource_group, m->name);
    struct server server;
    struct text out;

    if (m->api_port <= 0)
        return fail_on(op, "OperationNotAllowed", CONFLICT,
                       "the managed cluster '%s' is not up yet", m->name);
    server = server_of(c, m);
    text_init(&out, &op->arena, 262144);
    add_cluster(op, &out, m, &server);
    add_context(&out, m, user);
    if (kind == KUBECONFIG_EXEC)
        add_exec(&out);
    else
        TRY(add_certificate(op, &out, m));
    *ret = out.data;
    return OK;
}
