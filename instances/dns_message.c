/* Queries and answers (RFC 1035 4.1), and the names we know. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "instances/dns.h"

#define ZONE_LOCAL ".azurecontainer.localhost"
#define ZONE_CLOUD ".azurecontainer.io"
#define TTL_S      5

/* ---- names ---- */

struct known {
    struct known *next;
    char *key, *name;
    uint32_t address;
};
static struct known *all;
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;

static void drop_key(const char *key)
{
    for (struct known **at = &all; *at;) {
        struct known *k = *at;

        if (strcmp(k->key, key) != 0) {
            at = &k->next;
            continue;
        }
        *at = k->next;
        free(k->key);
        free(k->name);
        free(k);
    }
}

static void add_name(const char *key, const char *name, uint32_t address)
{
    struct known *k = malloc(sizeof(*k));

    if (!k)
        abort();
    *k = (struct known){all, strdup(key), strdup(name), address};
    if (!k->key || !k->name)
        abort();
    all = k;
}

void dns_names(const char *key, const char *const *names, const char *address)
{
    struct in_addr in;

    pthread_rwlock_wrlock(&lock);
    drop_key(key);
    if (names && address && inet_pton(AF_INET, address, &in) == 1)
        for (; *names; names++)
            add_name(key, *names, ntohl(in.s_addr));
    pthread_rwlock_unlock(&lock);
}

bool dns_find(const char *name, uint32_t *ret_address)
{
    const struct known *k;

    pthread_rwlock_rdlock(&lock);
    for (k = all; k && strcasecmp(k->name, name) != 0; k = k->next)
        ;
    if (k)
        *ret_address = k->address;
    pthread_rwlock_unlock(&lock);
    return k != NULL;
}

static bool ends_in(const char *name, const char *zone)
{
    size_t len = strlen(name), zone_len = strlen(zone);

    return len > zone_len && strcasecmp(name + len - zone_len, zone) == 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

const char *dns_hosts_lines(struct op *op)
{
    struct text out;
    char **lines;
    size_t n = 0;

    text_init(&out, &op->arena, (size_t)4 << 20);
    pthread_rwlock_rdlock(&lock);
    for (const struct known *k = all; k; k = k->next)
        n++;
    lines = arena_alloc(&op->arena, (n + 1) * sizeof(*lines));
    n = 0;
    for (const struct known *k = all; k; k = k->next)
        if (ends_in(k->name, ".localhost"))
            lines[n++] = arena_printf(&op->arena, "%u.%u.%u.%u %s\n", k->address >> 24,
                                      k->address >> 16 & 255, k->address >> 8 & 255,
                                      k->address & 255, k->name);
    pthread_rwlock_unlock(&lock);
    qsort(lines, n, sizeof(*lines), by_text);
    for (size_t i = 0; i < n; i++)
        text_str(&out, lines[i]);
    return out.data;
}

/* ---- messages ---- */

enum { HEAD = 12, TYPE_A = 1, CLASS_IN = 1, NXDOMAIN = 3, SERVFAIL = 2 };

static unsigned get16(const unsigned char *p)
{
    return (unsigned)(p[0] << 8 | p[1]);
}

static unsigned char *put16(unsigned char *p, unsigned value)
{
    p[0] = (unsigned char)(value >> 8);
    p[1] = (unsigned char)value;
    return p + 2;
}

/* The question's name as text, and where the question ends; 0: malformed. A question's name is
   never compressed. */
size_t dns_question(const unsigned char *query, size_t len, char *name)
{
    size_t at = HEAD, used = 0;

    while (at < len && query[at] != 0) {
        size_t label = query[at++];

        if (label > 63 || at + label > len || used + label + 1 > DNS_NAME_MAX ||
            memchr(query + at, 0, label))
            return 0;
        if (used)
            name[used++] = '.';
        memcpy(name + used, query + at, label);
        used += label;
        at += label;
    }
    name[used] = '\0';
    return at + 5 <= len ? at + 5 : 0;
}

/* Head and question, flags QR and RA, RD as it was asked. */
size_t dns_begin(const unsigned char *query, size_t question_end, unsigned code, unsigned answers,
                 unsigned char *out)
{
    memcpy(out, query, question_end);
    put16(out + 2, 0x8080u | (get16(query + 2) & 0x7900u) | code);
    put16(out + 4, question_end > HEAD ? 1 : 0);
    put16(out + 6, answers);
    put16(out + 8, 0);
    put16(out + 10, 0);
    return question_end;
}

enum dns_verdict dns_answer(const unsigned char *query, size_t len, unsigned char *answer,
                            size_t *ret_len)
{
    char name[DNS_NAME_MAX + 1];
    uint32_t address = 0;
    unsigned type;
    size_t end;
    bool known;

    if (len < HEAD || (query[2] & 0x80) || get16(query + 4) != 1)
        return DNS_DROP;
    end = dns_question(query, len, name);
    if (end == 0)
        return DNS_DROP;
    known = dns_find(name, &address);
    if (!known && !ends_in(name, ZONE_LOCAL) && !ends_in(name, ZONE_CLOUD))
        return DNS_FORWARD;
    type = get16(query + end - 4);
    known = known && get16(query + end - 2) == CLASS_IN;
    *ret_len = dns_begin(query, end, known ? 0 : NXDOMAIN, known && type == TYPE_A, answer);
    if (known && type == TYPE_A) {
        unsigned char *p = answer + *ret_len;

        p = put16(p, 0xc000u | HEAD); /* the question's name */
        p = put16(p, TYPE_A);
        p = put16(p, CLASS_IN);
        p = put16(p, 0);
        p = put16(p, TTL_S);
        p = put16(p, 4);
        p = put16(p, address >> 16);
        p = put16(p, address & 0xffff);
        *ret_len = (size_t)(p - answer);
    }
    return DNS_ANSWER;
}

size_t dns_failure(const unsigned char *query, size_t len, unsigned char *answer)
{
    char name[DNS_NAME_MAX + 1];
    size_t end = len >= HEAD ? dns_question(query, len, name) : 0;

    return len < HEAD ? 0 : dns_begin(query, end ? end : HEAD, SERVFAIL, 0, answer);
}
