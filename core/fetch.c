/*
 * A libcurl handle a thread, used again and again, so that connections to the same host stay open
 * from one request to the next (an import asks one registry for many blobs).
 */
#include "core/fetch.h"

#include <ctype.h>
#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_MS  30000
#define SILENCE_S   30
#define ANSWER_MAX  ((size_t)1 << 20)
#define HEADERS_MAX 128
#define HEADER_MAX  16384
#define URL_MAX     8192

static pthread_key_t handle_key;
static const char *ca_file;

static void free_handle(void *handle)
{
    curl_easy_cleanup(handle);
}

void fetch_start(void)
{
    static const char *const variables[] = {"CURL_CA_BUNDLE", "SSL_CERT_FILE"};

    curl_global_init(CURL_GLOBAL_DEFAULT);
    pthread_key_create(&handle_key, free_handle);
    for (size_t i = 0; i < ARRAY_LEN(variables) && !ca_file; i++)
        ca_file = getenv(variables[i]);
}

void fetch_stop(void)
{
    free_handle(pthread_getspecific(handle_key)); /* of this thread; others freed theirs */
    pthread_key_delete(handle_key);
    curl_global_cleanup();
}

static CURL *own_handle(void)
{
    CURL *handle = pthread_getspecific(handle_key);

    if (handle) {
        curl_easy_reset(handle); /* its connections stay */
        return handle;
    }
    handle = curl_easy_init();
    if (!handle)
        abort();
    pthread_setspecific(handle_key, handle);
    return handle;
}

/* One transfer under way. */
struct transfer {
    struct op *op;
    CURL *handle;
    const struct fetch *ask;
    struct fetched *answer;
    struct text body;
    enum fault fault; /* of a callback, which ended the transfer */
};

/* ---- what comes in ---- */

static void add_header(struct transfer *t, const char *line, size_t len)
{
    const char *colon = memchr(line, ':', len);
    struct arena *arena = &t->op->arena;
    struct header *h;
    char *name;

    if (!colon || len > HEADER_MAX || t->answer->n_headers == HEADERS_MAX)
        return;
    h = &t->answer->headers[t->answer->n_headers++];
    h->name = name = arena_strndup(arena, line, (size_t)(colon - line));
    for (; *name; name++)
        *name = (char)tolower((unsigned char)*name);
    len -= (size_t)(colon + 1 - line);
    for (colon++; len && isspace((unsigned char)*colon); len--)
        colon++;
    while (len && isspace((unsigned char)colon[len - 1]))
        len--;
    h->value = arena_strndup(arena, colon, len);
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;

    if (size * n >= 5 && memcmp(line, "HTTP/", 5) == 0)
        t->answer->n_headers = 0; /* a further answer: 100 Continue, a redirect's target */
    else
        add_header(t, line, size * n);
    return size * n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    long status = 0;

    curl_easy_getinfo(t->handle, CURLINFO_RESPONSE_CODE, &status);
    if (t->ask->write && status / 100 == 2) {
        t->fault = t->ask->write(t->ask->arg, t->op, (struct bytes){data, size * n});
        return t->fault == OK ? size * n : 0;
    }
    text_add(&t->body, data, size * n);
    if (!t->body.overflow)
        return size * n;
    if (status / 100 != 2) /* the beginning of an error's page tells enough */
        return size * n;
    t->fault = fail(t->op, TOO_LARGE, "the answer of %s is too large", t->ask->url);
    return 0;
}

static int on_progress(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    struct transfer *t = arg;

    (void)down_total, (void)down, (void)up_total, (void)up;
    if (!atomic_load_explicit(&t->op->cancelled, memory_order_relaxed))
        return 0;
    t->fault = fail(t->op, UNAVAILABLE, "cancelled");
    return 1;
}

/* ---- what goes out ---- */

static struct curl_slist *header_list(struct op *op, const struct fetch *ask)
{
    struct curl_slist *list = NULL;

    /* curl's own Expect would cost a second at servers that do not know it */
    list = curl_slist_append(list, "Expect:");
    for (size_t i = 0; i < ask->n_headers; i++)
        list = curl_slist_append(
            list, arena_printf(&op->arena, "%s: %s", ask->headers[i].name, ask->headers[i].value));
    return list;
}

static void set_method(CURL *h, const struct fetch *ask)
{
    if (ask->method && strcmp(ask->method, "HEAD") == 0) {
        curl_easy_setopt(h, CURLOPT_NOBODY, 1L);
        return;
    }
    if (ask->body.data) {
        curl_easy_setopt(h, CURLOPT_POSTFIELDS, ask->body.data);
        curl_easy_setopt(h, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ask->body.len);
    }
    if (ask->method)
        curl_easy_setopt(h, CURLOPT_CUSTOMREQUEST, ask->method);
}

static curl_socket_t given_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    const struct fetch *ask = arg;

    (void)purpose;
    (void)address;
    return ask->socket;
}

static int is_connected(void *arg, curl_socket_t socket, curlsocktype purpose)
{
    (void)arg;
    (void)socket;
    (void)purpose;
    return CURL_SOCKOPT_ALREADY_CONNECTED;
}

/* curl closes it at the end: it must not be kept for another request. */
static void set_socket(CURL *h, const struct fetch *ask)
{
    curl_easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, given_socket);
    curl_easy_setopt(h, CURLOPT_OPENSOCKETDATA, ask);
    curl_easy_setopt(h, CURLOPT_SOCKOPTFUNCTION, is_connected);
    curl_easy_setopt(h, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(h, CURLOPT_FORBID_REUSE, 1L);
}

static void set_options(struct transfer *t, struct curl_slist *headers)
{
    const struct fetch *ask = t->ask;
    CURL *h = t->handle;

    curl_easy_setopt(h, CURLOPT_URL, ask->url);
    curl_easy_setopt(h, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(h, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(h, CURLOPT_USERAGENT, "sundog/" SUNDOG_VERSION);
    curl_easy_setopt(h, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(h, CURLOPT_TIMEOUT_MS, (long)(ask->timeout_ms ? ask->timeout_ms : TIMEOUT_MS));
    curl_easy_setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)TIMEOUT_MS);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(h, CURLOPT_LOW_SPEED_TIME,
                     (long)(ask->silence_s ? ask->silence_s : SILENCE_S));
    curl_easy_setopt(h, CURLOPT_FOLLOWLOCATION, ask->redirects_max > 0 ? 1L : 0L);
    curl_easy_setopt(h, CURLOPT_MAXREDIRS, (long)ask->redirects_max);
    curl_easy_setopt(h, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(h, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(h, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(h, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(h, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(h, CURLOPT_XFERINFODATA, t);
    if (ca_file)
        curl_easy_setopt(h, CURLOPT_CAINFO, ca_file);
    if (ask->direct) {
        curl_easy_setopt(h, CURLOPT_PROXY, "");
        curl_easy_setopt(h, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(h, CURLOPT_SSL_VERIFYHOST, 0L);
    }
    if (ask->http2)
        curl_easy_setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE);
    if (ask->socket > 0)
        set_socket(h, ask);
    set_method(h, ask);
}

/* The host part of a URL, for messages: what stands before and after may hold secrets. */
static const char *host_of(struct op *op, const char *url)
{
    const char *start = strstr(url, "://"), *end, *at;

    start = start ? start + 3 : url;
    end = start + strcspn(start, "/?#");
    at = memchr(start, '@', (size_t)(end - start));
    if (at)
        start = at + 1;
    return arena_strndup(&op->arena, start, (size_t)(end - start));
}

static enum fault check_url(struct op *op, const char *url)
{
    if (strncasecmp(url, "http://", 7) != 0 && strncasecmp(url, "https://", 8) != 0)
        return fail(op, INVALID, "only http and https URLs are fetched");
    if (strlen(url) > URL_MAX)
        return fail(op, INVALID, "the URL is too long");
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return fail(op, INVALID, "the URL holds spaces or control characters");
    return OK;
}

static enum fault check_headers(struct op *op, const struct fetch *ask)
{
    for (size_t i = 0; i < ask->n_headers; i++)
        if (strpbrk(ask->headers[i].name, "\r\n:") || strpbrk(ask->headers[i].value, "\r\n"))
            return fail(op, INVALID, "a header holds a line break");
    return OK;
}

static void finish(struct transfer *t)
{
    struct bytes body = text_bytes(&t->body);
    char *url = NULL;
    long status = 0;

    curl_easy_getinfo(t->handle, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->handle, CURLINFO_EFFECTIVE_URL, &url);
    t->answer->status = (int)status;
    t->answer->body = body;
    t->answer->url = url ? arena_strdup(&t->op->arena, url) : t->ask->url;
}

enum fault fetch(struct op *op, const struct fetch *ask, struct fetched *ret)
{
    struct transfer t = {.op = op, .ask = ask, .answer = ret};
    struct curl_slist *headers;
    CURLcode code;

    TRY(check_url(op, ask->url));
    TRY(check_headers(op, ask));
    *ret =
        (struct fetched){.headers = arena_alloc(&op->arena, HEADERS_MAX * sizeof(struct header))};
    text_init(&t.body, &op->arena, ask->answer_max ? ask->answer_max : ANSWER_MAX);
    t.handle = own_handle();
    headers = header_list(op, ask);
    set_options(&t, headers);
    code = curl_easy_perform(t.handle);
    if (code == CURLE_OK)
        finish(&t);
    curl_easy_setopt(t.handle, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    if (t.fault != OK)
        return t.fault;
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return fail(op, INVALID, "\"%s\" is not a URL that can be fetched", host_of(op, ask->url));
    if (code != CURLE_OK)
        return fail(op, UNAVAILABLE, "%s cannot be reached: %s", host_of(op, ask->url),
                    curl_easy_strerror(code));
    return OK;
}

const char *fetched_header(const struct fetched *answer, const char *name)
{
    for (size_t i = 0; i < answer->n_headers; i++)
        if (strcmp(answer->headers[i].name, name) == 0)
            return answer->headers[i].value;
    return NULL;
}
