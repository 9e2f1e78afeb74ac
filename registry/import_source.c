/*
 * Another registry, over HTTP: the token flow that its challenge asks for (distribution token
 * spec), and faults in words that users meet.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "core/fetch.h"
#include "core/json.h"
#include "core/seal.h"
#include "core/uri.h"
#include "registry/hash.h"
#include "registry/import_job.h"
#include "registry/names.h"

#define BLOB_TIMEOUT_MS ((int64_t)6 * 3600 * 1000) /* silence ends it far sooner */
#define REDIRECTS_MAX   5
#define NULL_GUID       "00000000-0000-0000-0000-000000000000"

#define ACCEPT                                                                                     \
    MEDIA_OCI_INDEX ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_LIST ", " MEDIA_DOCKER_MANIFEST      \
                    ", " MEDIA_ORAS_ARTIFACT ", " MEDIA_OCI_ARTIFACT

/* "127.0.0.1:5000", "localhost", "[::1]:5000": tried as plain HTTP too, as docker does. */
static bool is_loopback(const char *host)
{
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");

    return (len == 9 && strncasecmp(host, "localhost", 9) == 0) || strncmp(host, "127.", 4) == 0 ||
           strncmp(host, "[::1]", 5) == 0 ||
           (len > 10 && strncasecmp(host + len - 10, ".localhost", 10) == 0);
}

void source_init(struct op *op, const struct import_work *work, struct source *ret)
{
    const char *host = work->source_host;

    if (strcasecmp(host, "docker.io") == 0 || strcasecmp(host, "index.docker.io") == 0)
        host = "registry-1.docker.io";
    *ret = (struct source){
        .arena = &op->arena,
        .host = work->source_host,
        .base = arena_printf(&op->arena, "https://%s", host),
        .repository = work->repository,
        .username = work->username,
        .password = work->password,
        .may_be_plain = is_loopback(host),
    };
}

/* ---- challenges ---- */

/* The value of a parameter of a challenge: realm="https://…" */
static const char *parameter(struct op *op, const char *challenge, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = challenge; (p = strcasestr(p, name)); p += len) {
        bool whole = p > challenge && (p[-1] == ' ' || p[-1] == ',');

        if (whole && p[len] == '=' && p[len + 1] == '"')
            return arena_strndup(&op->arena, p + len + 2, strcspn(p + len + 2, "\""));
        if (whole && p[len] == '=')
            return arena_strndup(&op->arena, p + len + 1, strcspn(p + len + 1, ", "));
    }
    return NULL;
}

static const char *basic(struct op *op, const struct source *s)
{
    /* a password alone is a token, as az sends it */
    const char *pair = arena_printf(&op->arena, "%s:%s", s->username ? s->username : NULL_GUID,
                                    s->password ? s->password : "");

    return arena_printf(s->arena, "Basic %s", base64_encode(&op->arena, BYTES(pair), false));
}

static enum fault denied(struct op *op, const struct source *s)
{
    return fail_on(op, "SourceUnauthorized", FORBIDDEN,
                   "%s does not let %s pull %s: check the credentials", s->host,
                   s->username || s->password ? "these credentials" : "anonymous clients",
                   s->repository);
}

static enum fault unavailable(struct op *op, const struct source *s)
{
    const char *why = op->message ? op->message : "it does not answer";

    op_clear_fault(op);
    return fail_on(op, "SourceUnavailable", UNAVAILABLE, "%s cannot be reached: %s", s->host, why);
}

/* What an answer that is no success means. */
static enum fault refused(struct op *op, const struct source *s, const struct fetched *answer,
                          const char *what)
{
    if (answer->status == 401 || answer->status == 403)
        return denied(op, s);
    if (answer->status == 404)
        return fail_on(op, "ManifestNotFound", NOT_FOUND, "%s has no %s of %s", s->host, what,
                       s->repository);
    if (answer->status == 429)
        return fail_on(op, "TooManyRequests", TOO_MANY,
                       "%s answers 429 Too Many Requests: its pull limit is reached", s->host);
    if (answer->status >= 500)
        return fail_on(op, "SourceUnavailable", UNAVAILABLE, "%s answers %d", s->host,
                       answer->status);
    return fail_on(op, "SourceInvalid", INVALID, "%s answers %d where %s was asked for", s->host,
                   answer->status, what);
}

static enum fault take_token(struct op *op, struct source *s, const struct fetched *answer)
{
    const char *token = NULL;
    json_t *object;

    if (answer->status != 200)
        return refused(op, s, answer, "token");
    if (json_parse(op, answer->body, &object) == OK) {
        token = json_string_value(json_object_get(object, "token"));
        if (!token)
            token = json_string_value(json_object_get(object, "access_token"));
    }
    op_clear_fault(op);
    if (!token || strpbrk(token, "\r\n"))
        return fail_on(op, "SourceInvalid", INVALID, "the token service of %s gives no token",
                       s->host);
    s->authorization = arena_printf(s->arena, "Bearer %s", token);
    return OK;
}

static enum fault get_token(struct op *op, struct source *s, const char *challenge)
{
    const char *realm = parameter(op, challenge, "realm"),
               *service = parameter(op, challenge, "service"),
               *scope = parameter(op, challenge, "scope");
    struct header header = {"Authorization", NULL};
    struct fetch ask = {.headers = &header, .redirects_max = REDIRECTS_MAX};
    struct fetched answer;

    if (!realm)
        return fail_on(op, "SourceInvalid", INVALID, "the challenge of %s names no realm", s->host);
    /* credentials go to a token service over TLS, or on this machine */
    if ((s->username || s->password) && strncasecmp(realm, "https://", 8) != 0 && !s->may_be_plain)
        return fail_on(op, "SourceInvalid", INVALID,
                       "the token service of %s is not https: no credentials are sent there",
                       s->host);
    if (!scope)
        scope = arena_printf(&op->arena, "repository:%s:pull", s->repository);
    ask.url = arena_printf(
        &op->arena, "%s%cservice=%s&scope=%s", realm, strchr(realm, '?') ? '&' : '?',
        uri_encode(&op->arena, service ? service : "", ""), uri_encode(&op->arena, scope, ""));
    if (s->username || s->password) {
        header.value = basic(op, s);
        ask.n_headers = 1;
    }
    if (fetch(op, &ask, &answer) != OK)
        return unavailable(op, s);
    return take_token(op, s, &answer);
}

/* The first challenge we can answer. */
static enum fault answer_challenge(struct op *op, struct source *s, const struct fetched *answer)
{
    for (size_t i = 0; i < answer->n_headers; i++) {
        const char *value = answer->headers[i].value;

        if (strcmp(answer->headers[i].name, "www-authenticate") != 0)
            continue;
        if (strncasecmp(value, "Bearer ", 7) == 0)
            return get_token(op, s, value);
        if (strncasecmp(value, "Basic", 5) == 0 && (s->username || s->password)) {
            s->authorization = basic(op, s);
            return OK;
        }
    }
    return denied(op, s);
}

/* ---- requests ---- */

static enum fault once(struct op *op, struct source *s, const char *path, struct fetch *ask,
                       struct fetched *ret)
{
    struct header headers[2] = {
        {"Accept",        ACCEPT          },
        {"Authorization", s->authorization}
    };
    enum fault fault;

    ask->headers = headers;
    ask->n_headers = s->authorization ? 2 : 1;
    ask->redirects_max = REDIRECTS_MAX;
    ask->url = arena_printf(&op->arena, "%s%s", s->base, path);
    fault = fetch(op, ask, ret);
    if (fault == UNAVAILABLE && s->may_be_plain && !s->answered &&
        strncmp(s->base, "https:", 6) == 0) {
        op_clear_fault(op);
        s->base = arena_printf(s->arena, "http:%s", s->base + strlen("https:"));
        ask->url = arena_printf(&op->arena, "%s%s", s->base, path);
        fault = fetch(op, ask, ret);
    }
    s->answered = s->answered || fault == OK;
    /* a fault of the writer's own carries a noun, or is no matter of the network */
    return fault == UNAVAILABLE && !op->noun ? unavailable(op, s) : fault;
}

static enum fault get(struct op *op, struct source *s, const char *path, struct fetch *ask,
                      struct fetched *ret)
{
    TRY(once(op, s, path, ask, ret));
    if (ret->status != 401)
        return OK;
    TRY(answer_challenge(op, s, ret)); /* also when a token has expired on the way */
    return once(op, s, path, ask, ret);
}

static enum fault check_hash(struct op *op, const struct source *s, const char *reference,
                             struct bytes content)
{
    enum hash_kind kind;

    if (!reference_is_digest(reference))
        return OK;
    if (!hash_kind_parse(reference, &kind) || strcmp(hash_bytes(op, kind, content), reference) != 0)
        return fail_on(op, "SourceInvalid", INVALID, "what %s gives as %s has another digest",
                       s->host, reference);
    return OK;
}

enum fault source_manifest(struct op *op, struct source *s, const char *reference,
                           const char **ret_media_type, struct bytes *ret_content)
{
    struct fetch ask = {.answer_max = MANIFEST_MAX};
    struct fetched answer;
    enum fault fault;

    fault = get(op, s, arena_printf(&op->arena, "/v2/%s/manifests/%s", s->repository, reference),
                &ask, &answer);
    if (fault == TOO_LARGE)
        return fail_on(op, "SourceInvalid", INVALID, "the manifest %s is larger than 4 MiB",
                       reference);
    TRY(fault);
    if (answer.status != 200)
        return refused(op, s, &answer, arena_printf(&op->arena, "manifest \"%s\"", reference));
    TRY(check_hash(op, s, reference, answer.body));
    *ret_media_type = fetched_header(&answer, "content-type");
    *ret_content = answer.body;
    return OK;
}

enum fault source_digest(struct op *op, struct source *s, const char *reference,
                         const char **ret_digest)
{
    struct fetch ask = {.method = "HEAD"};
    struct fetched answer;
    const char *digest;

    TRY(get(op, s, arena_printf(&op->arena, "/v2/%s/manifests/%s", s->repository, reference), &ask,
            &answer));
    digest = fetched_header(&answer, "docker-content-digest");
    *ret_digest = digest && digest_is_valid(digest) ? digest : "";
    if (answer.status == 400 || answer.status == 405 || answer.status == 501)
        *ret_digest = ""; /* it knows no HEAD */
    else if (answer.status != 200)
        return refused(op, s, &answer, arena_printf(&op->arena, "manifest \"%s\"", reference));
    return OK;
}

enum fault source_blob(struct op *op, struct source *s, const char *digest,
                       enum fault (*write)(void *arg, struct op *op, struct bytes piece), void *arg)
{
    struct fetch ask = {.timeout_ms = BLOB_TIMEOUT_MS, .write = write, .arg = arg};
    struct fetched answer;

    TRY(get(op, s, arena_printf(&op->arena, "/v2/%s/blobs/%s", s->repository, digest), &ask,
            &answer));
    if (answer.status != 200)
        return refused(op, s, &answer, arena_printf(&op->arena, "blob %s", digest));
    return OK;
}
