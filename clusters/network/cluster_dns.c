#include "clusters/network/cluster_dns.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ZONE      "cluster.local"
#define REVERSE   ".in-addr.arpa"
#define TTL_S     5
#define EDNS_SIZE 1232 /* what crosses every network unfragmented */
#define UDP_SIZE  512  /* of who says nothing else */

enum { HEAD = 12, CLASS_IN = 1, CLASS_ANY = 255, NXDOMAIN = 3, TRUNCATED = 0x02 };
enum type { A = 1, CNAME = 5, SOA = 6, PTR = 12, SRV = 33, OPT = 41, ANY = 255 };

/* ---- writing; nothing is written past the end, and overflow is seen by the caller ---- */

struct writer {
    unsigned char *data;
    size_t len, max;
    bool overflow;
};

static void put(struct writer *w, const void *data, size_t len)
{
    if (w->overflow || w->len + len > w->max) {
        w->overflow = true;
        return;
    }
    memcpy(w->data + w->len, data, len);
    w->len += len;
}

static void put16(struct writer *w, unsigned value)
{
    put(w, (const unsigned char[]){(unsigned char)(value >> 8), (unsigned char)value}, 2);
}

static void put32(struct writer *w, uint32_t value)
{
    put16(w, value >> 16);
    put16(w, value & 0xffff);
}

/* Uncompressed. What is no name is the root. */
static void put_name(struct writer *w, const char *name)
{
    while (*name) {
        size_t len = strcspn(name, ".");

        if (len == 0 || len > 63)
            break;
        put(w, (const unsigned char[]){(unsigned char)len}, 1);
        put(w, name, len);
        name += len + (name[len] == '.');
    }
    put(w, "", 1);
}

static unsigned get16(const unsigned char *p)
{
    return (unsigned)(p[0] << 8 | p[1]);
}

static void begin_record(struct writer *w, enum type type, size_t *ret_at)
{
    put16(w, 0xc000u | HEAD); /* the question's name */
    put16(w, type);
    put16(w, CLASS_IN);
    put32(w, TTL_S);
    *ret_at = w->len;
    put16(w, 0);
}

static void end_record(struct writer *w, size_t at)
{
    size_t len = w->len - at - 2;

    if (w->overflow)
        return;
    w->data[at] = (unsigned char)(len >> 8);
    w->data[at + 1] = (unsigned char)len;
}

static void put_record(struct writer *w, const struct dns_record *record)
{
    struct in_addr in;
    size_t at;

    begin_record(w, (enum type)record->type, &at);
    if (record->type == A && inet_pton(AF_INET, record->target, &in) == 1)
        put(w, &in, 4);
    else if (record->type == SRV) {
        put16(w, 0);   /* priority */
        put16(w, 100); /* weight */
        put16(w, record->port);
    }
    if (record->type != A)
        put_name(w, record->target);
    end_record(w, at);
}

/* Who may keep "there is no such name", and how long. */
static void put_soa(struct writer *w)
{
    static const char *const zone = ZONE;
    size_t at;

    put_name(w, zone);
    put16(w, SOA);
    put16(w, CLASS_IN);
    put32(w, TTL_S);
    at = w->len;
    put16(w, 0);
    put_name(w, "ns.dns." ZONE);
    put_name(w, "hostmaster." ZONE);
    put32(w, 1);
    put32(w, 7200);
    put32(w, 1800);
    put32(w, 86400);
    put32(w, TTL_S);
    end_record(w, at);
}

static void put_opt(struct writer *w)
{
    put(w, "", 1);
    put16(w, OPT);
    put16(w, EDNS_SIZE);
    put32(w, 0);
    put16(w, 0);
}

/* ---- the query ---- */

struct question {
    char name[DNS_NAME_MAX + 1]; /* lower case */
    unsigned type, class;
    size_t end;      /* of it, in the query */
    size_t udp_size; /* 0: without EDNS */
};

static bool read_query(const unsigned char *query, size_t len, struct question *ret)
{
    const unsigned char *more;

    if (len < HEAD || (query[2] & 0x80) || get16(query + 4) != 1)
        return false;
    ret->end = dns_question(query, len, ret->name);
    if (ret->end == 0)
        return false;
    for (char *c = ret->name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    ret->type = get16(query + ret->end - 4);
    ret->class = get16(query + ret->end - 2);
    /* EDNS: one record of the root's behind the question */
    more = query + ret->end;
    ret->udp_size = 0;
    if (get16(query + 10) == 1 && len >= ret->end + 11 && more[0] == 0 && get16(more + 1) == OPT)
        ret->udp_size = get16(more + 3) < UDP_SIZE ? UDP_SIZE : get16(more + 3);
    return true;
}

static bool is_within(uint32_t address, struct network_range range)
{
    return ((address ^ range.base) >> (32 - range.prefix)) == 0;
}

static bool ends_in(const char *name, const char *zone)
{
    size_t len = strlen(name), zone_len = strlen(zone);

    return len >= zone_len && strcmp(name + len - zone_len, zone) == 0 &&
           (len == zone_len || name[len - zone_len - 1] == '.' || zone[0] == '.');
}

/* Names that nobody else can know. */
static bool is_ours(const struct dns_zone *zone, const char *name)
{
    unsigned d, c, b, a;
    int used = 0;

    if (ends_in(name, ZONE))
        return true;
    if (!ends_in(name, REVERSE) || sscanf(name, "%3u.%3u.%3u.%3u%n", &d, &c, &b, &a, &used) != 4 ||
        strcmp(name + used, REVERSE) != 0 || (a | b | c | d) > 255)
        return false;
    return is_within(a << 24 | b << 16 | c << 8 | d, zone->pods) ||
           is_within(a << 24 | b << 16 | c << 8 | d, zone->services);
}

/* ---- the answer ---- */

static bool is_wanted(const struct question *q, const struct dns_record *record)
{
    return (q->class == CLASS_IN || q->class == CLASS_ANY) &&
           (record->type == q->type || record->type == CNAME || q->type == ANY);
}

/* One too long for the asker is cut off before its records: he comes again by TCP. */
static size_t write_answer(const struct question *q, const unsigned char *query, bool known,
                           const struct dns_record *records, size_t n, size_t max,
                           unsigned char *answer)
{
    struct writer w = {.data = answer, .max = max};
    unsigned answers = 0;

    w.len = dns_begin(query, q->end, known ? 0 : NXDOMAIN, 0, answer);
    answer[2] |= 0x04; /* authoritative */
    for (size_t i = 0; known && i < n; i++)
        if (is_wanted(q, &records[i])) {
            put_record(&w, &records[i]);
            answers++;
        }
    if (answers == 0)
        put_soa(&w);
    if (q->udp_size)
        put_opt(&w);
    if (w.overflow) {
        answer[2] |= TRUNCATED;
        return q->end;
    }
    answer[6] = (unsigned char)(answers >> 8);
    answer[7] = (unsigned char)answers;
    answer[9] = answers == 0;
    answer[11] = q->udp_size != 0;
    return w.len;
}

static size_t room(const struct question *q, bool tcp)
{
    size_t max = q->udp_size ? q->udp_size : UDP_SIZE;

    if (tcp)
        return DNS_MESSAGE_MAX;
    return max > EDNS_SIZE ? EDNS_SIZE : max < q->end ? q->end : max;
}

enum dns_verdict cluster_dns_answer(void *user, const unsigned char *query, size_t len, bool tcp,
                                    unsigned char *answer, size_t *ret_len)
{
    struct dns_zone *zone = user;
    const struct dns_record *records = NULL;
    struct question q;
    bool known = false;
    size_t n = 0;
    struct op op;

    if (!read_query(query, len, &q))
        return DNS_DROP;
    op_init(&op);
    zone->resolve(&op, zone->user, q.name, &known, &records, &n);
    if (known || is_ours(zone, q.name))
        *ret_len = write_answer(&q, query, known, records, n, room(&q, tcp), answer);
    op_free(&op);
    if (known || is_ours(zone, q.name))
        return DNS_ANSWER;
    return dns_answer(query, len, answer, ret_len);
}

enum fault cluster_dns_open(struct op *op, int udp, int tcp, struct dns_zone *zone,
                            struct dns_door **ret)
{
    *ret = dns_door_open(udp, tcp, cluster_dns_answer, zone);
    return *ret ? OK : fail(op, UNAVAILABLE, "DNS does not run");
}
