/* Samples in memory, by resource. Reading is meter_read.c's half of this. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/db.h"
#include "core/meter_internal.h"
#include "core/metrics.h"
#include "core/reconcile.h"

#define WRITE_AFTER_S   3 /* a minute is complete that long after its end: late samples have come */
#define PRUNE_MINUTES   15
#define WRITE_KEY       "write"
#define MINUTES_AT_ONCE 20000 /* of one transaction */

struct meters meters = {.lock = PTHREAD_MUTEX_INITIALIZER, .writing = PTHREAD_RWLOCK_INITIALIZER};

/* ---- the table ---- */

struct meter **meters_of(const char *resource)
{
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */

    for (const char *c = resource; *c; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(1099511628211);
    return &meters.table[(hash ^ hash >> 32) % METER_BUCKETS];
}

static void free_meter(struct meter *m)
{
    free(m->resource);
    free(m->metric);
    free(m->dimensions);
    free(m->fine);
    free(m->points);
    free(m);
}

static char *copy(const char *text)
{
    char *out = strdup(text);

    if (!out)
        abort();
    return out;
}

static struct meter *find(const char *resource, const char *metric, const char *dimensions)
{
    for (struct meter *m = *meters_of(resource); m; m = m->next)
        if (!m->forgotten && strcmp(m->resource, resource) == 0 && strcmp(m->metric, metric) == 0 &&
            strcmp(m->dimensions, dimensions) == 0)
            return m;
    return NULL;
}

static struct meter *add(const char *resource, const char *metric, const char *dimensions)
{
    struct meter **bucket = meters_of(resource), *m;

    if (meters.n == METER_MAX)
        return NULL;
    m = calloc(1, sizeof(*m));
    if (!m)
        abort();
    m->resource = copy(resource);
    m->metric = copy(metric);
    m->dimensions = copy(dimensions);
    m->next = *bucket;
    *bucket = m;
    meters.n++;
    return m;
}

struct meter *meter_open(const char *resource, const char *metric, const char *dimensions,
                         bool fine)
{
    struct meter *m;

    pthread_mutex_lock(&meters.lock);
    m = find(resource, metric, dimensions);
    if (!m)
        m = add(resource, metric, dimensions);
    if (m)
        m->opened++;
    if (m && fine && !m->fine) {
        m->fine = calloc(1, sizeof(*m->fine));
        if (!m->fine)
            abort();
    }
    pthread_mutex_unlock(&meters.lock);
    return m;
}

/* Those that nobody adds to and that have nothing to write. */
static void drop_unused(struct meter **bucket)
{
    while (*bucket) {
        struct meter *m = *bucket;

        if (m->opened || m->n_points) {
            bucket = &m->next;
            continue;
        }
        *bucket = m->next;
        meters.n--;
        free_meter(m);
    }
}

void meter_close(struct meter *m)
{
    if (!m)
        return;
    pthread_mutex_lock(&meters.lock);
    m->opened--;
    drop_unused(meters_of(m->resource));
    pthread_mutex_unlock(&meters.lock);
}

static bool is_at_or_below(const struct meter *m, const char *key, size_t len)
{
    return strncmp(m->resource, key, len) == 0 &&
           (m->resource[len] == '\0' || m->resource[len] == '/');
}

void meter_forget(const char *key)
{
    size_t len = strlen(key);

    pthread_mutex_lock(&meters.lock);
    for (size_t i = 0; i < METER_BUCKETS; i++) {
        for (struct meter *m = meters.table[i]; m; m = m->next)
            if (is_at_or_below(m, key, len)) {
                m->forgotten = true;
                m->n_points = 0;
            }
        drop_unused(&meters.table[i]);
    }
    pthread_mutex_unlock(&meters.lock);
}

static struct meter *take_out(const char *key)
{
    size_t len = strlen(key);

    for (size_t i = 0; i < METER_BUCKETS; i++)
        for (struct meter **at = &meters.table[i]; *at; at = &(*at)->next)
            if (is_at_or_below(*at, key, len)) {
                struct meter *m = *at;

                *at = m->next;
                return m;
            }
    return NULL;
}

/* Who adds to them need not know. */
void meter_moved(const char *key, const char *new_key)
{
    struct meter *m, **bucket;
    char *resource;

    pthread_mutex_lock(&meters.lock);
    while (strcmp(key, new_key) != 0 && (m = take_out(key))) {
        if (asprintf(&resource, "%s%s", new_key, m->resource + strlen(key)) < 0)
            abort();
        free(m->resource);
        m->resource = resource;
        bucket = meters_of(resource);
        m->next = *bucket;
        *bucket = m;
    }
    pthread_mutex_unlock(&meters.lock);
}

/* ---- adding ---- */

void meter_merge(struct meter_point *into, const struct meter_point *other)
{
    if (!other->n)
        return;
    if (!into->n || other->least < into->least)
        into->least = other->least;
    if (!into->n || other->most > into->most)
        into->most = other->most;
    into->n += other->n;
    into->sum += other->sum;
}

/* A clock that was set back adds to the minute that is there. */
static struct meter_point *point_of(struct meter *m, int64_t minute_s)
{
    if (m->n_points && m->points[m->n_points - 1].at_s >= minute_s)
        return &m->points[m->n_points - 1];
    if (m->n_points == METER_WAITING) {
        memmove(m->points, m->points + 1, (METER_WAITING - 1) * sizeof(*m->points));
        m->n_points--;
    }
    if (m->n_points == m->cap) {
        m->cap = m->cap ? m->cap * 2 : 2;
        m->points = realloc(m->points, m->cap * sizeof(*m->points));
        if (!m->points)
            abort();
    }
    m->points[m->n_points] = (struct meter_point){.at_s = minute_s};
    return &m->points[m->n_points++];
}

void meter_add(struct meter *m, int64_t at_us, double value)
{
    int64_t at_s = at_us / 1000000;
    int64_t step = at_s / METER_FINE_S;
    struct meter_point sample = {.n = 1, .sum = value, .least = value, .most = value};

    if (!m)
        return;
    pthread_mutex_lock(&meters.lock);
    if (!m->forgotten) {
        meter_merge(point_of(m, at_s - at_s % 60), &sample);
        if (m->fine) {
            m->fine->values[step % METER_FINE_STEPS] = value;
            m->fine->steps[step % METER_FINE_STEPS] = (uint32_t)step;
        }
    }
    pthread_mutex_unlock(&meters.lock);
}

/* ---- writing ---- */

enum { NAMES, MINUTES, PRUNE, PRUNE_NAMES, DELETE_BELOW, REKEY_BELOW };
#define KEYS                                                                                       \
    "unnest($1::text[]) AS resource, unnest($2::text[]) AS metric,"                                \
    " unnest($3::text[]) AS dimensions"
static const struct db_stmt stmts[] = {
    [NAMES] = {"INSERT INTO core.meter (resource, metric, dimensions)"
               " SELECT DISTINCT " KEYS " ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING"},
    [MINUTES] =
        {"INSERT INTO core.meter_minute AS old (meter, minute, n, sum, least, most)"
         " SELECT m.id, p.minute, sum(p.n), sum(p.sum), min(p.least), max(p.most)"
         " FROM (SELECT " KEYS ","
         " unnest($4::text[])::int AS minute, unnest($5::text[])::int AS n,"
         " unnest($6::text[])::float8 AS sum, unnest($7::text[])::float8 AS least,"
         " unnest($8::text[])::float8 AS most) p"
         " JOIN core.meter m USING (resource, metric, dimensions) GROUP BY 1, 2 ORDER BY 1, 2"
         " ON CONFLICT (meter, minute) DO UPDATE SET n = old.n + excluded.n,"
         " sum = old.sum + excluded.sum, least = least(old.least, excluded.least),"
         " most = greatest(old.most, excluded.most)"},
    [PRUNE] = {"DELETE FROM core.meter_minute WHERE minute < $1"},
    [PRUNE_NAMES] = {"DELETE FROM core.meter m WHERE NOT EXISTS"
                     " (SELECT FROM core.meter_minute p WHERE p.meter = m.id)"},
    [DELETE_BELOW] = {"DELETE FROM core.meter WHERE resource = $1"
                      " OR (resource > $1 || '/' AND resource < $1 || '0')"},
    [REKEY_BELOW] = {"UPDATE core.meter SET resource = $2 || substr(resource, length($1) + 1)"
                     " WHERE resource = $1 OR (resource > $1 || '/' AND resource < $1 || '0')"},
    {0},
};

struct batch {
    const char **columns[8];
    size_t n, max;
};

static const char *number(struct op *op, double value)
{
    return arena_printf(&op->arena, "%.17g", value);
}

static void batch_add(struct op *op, struct batch *b, const struct meter *m,
                      const struct meter_point *p)
{
    struct arena *a = &op->arena;

    b->columns[0][b->n] = arena_strdup(a, m->resource);
    b->columns[1][b->n] = arena_strdup(a, m->metric);
    b->columns[2][b->n] = arena_strdup(a, m->dimensions);
    b->columns[3][b->n] = arena_printf(a, "%lld", (long long)(p->at_s / 60));
    b->columns[4][b->n] = arena_printf(a, "%lld", (long long)p->n);
    b->columns[5][b->n] = number(op, p->sum);
    b->columns[6][b->n] = number(op, p->least);
    b->columns[7][b->n] = number(op, p->most);
    b->n++;
}

/* How many of its points, oldest first, may be written: all but the begun minute. */
static size_t complete(const struct meter *m, int64_t before_s)
{
    size_t n = 0;

    while (n < m->n_points && m->points[n].at_s < before_s)
        n++;
    return n;
}

static size_t count(int64_t before_s)
{
    size_t n = 0;

    for (size_t i = 0; i < METER_BUCKETS; i++)
        for (struct meter *m = meters.table[i]; m; m = m->next)
            n += complete(m, before_s);
    return n < MINUTES_AT_ONCE ? n : MINUTES_AT_ONCE;
}

/* Taken points stay where they are until they are written: m->taken of each. */
static void take(struct op *op, int64_t before_s, struct batch *b)
{
    pthread_mutex_lock(&meters.lock);
    b->max = count(before_s);
    for (size_t i = 0; i < ARRAY_LEN(b->columns); i++)
        b->columns[i] = arena_alloc(&op->arena, (b->max + 1) * sizeof(*b->columns[i]));
    for (size_t i = 0; i < METER_BUCKETS && b->n < b->max; i++)
        for (struct meter *m = meters.table[i]; m && b->n < b->max; m = m->next) {
            size_t n = complete(m, before_s);

            for (m->taken = 0; m->taken < n && b->n < b->max; m->taken++)
                batch_add(op, b, m, &m->points[m->taken]);
            m->taken_until_s = m->taken ? m->points[m->taken - 1].at_s : 0;
        }
    pthread_mutex_unlock(&meters.lock);
}

/* What was taken is written, or (good false) still to be written. */
static void settle(bool good)
{
    pthread_mutex_lock(&meters.lock);
    for (size_t i = 0; i < METER_BUCKETS; i++) {
        for (struct meter *m = meters.table[i]; m; m = m->next) {
            size_t n = 0;

            while (good && m->taken && n < m->n_points && m->points[n].at_s <= m->taken_until_s)
                n++;
            if (n)
                memmove(m->points, m->points + n, (m->n_points - n) * sizeof(*m->points));
            m->n_points -= n;
            m->taken = 0;
        }
        drop_unused(&meters.table[i]);
    }
    pthread_mutex_unlock(&meters.lock);
}

static enum fault write_batch(struct op *op, const struct batch *b)
{
#define COLUMN(i) DB_TEXTS(b->columns[i], b->n)
    TRY(db_begin(op));
    TRY(db_query(op, &stmts[NAMES], NULL, COLUMN(0), COLUMN(1), COLUMN(2)));
    TRY(db_query(op, &stmts[MINUTES], NULL, COLUMN(0), COLUMN(1), COLUMN(2), COLUMN(3), COLUMN(4),
                 COLUMN(5), COLUMN(6), COLUMN(7)));
    return db_commit_async(op);
#undef COLUMN
}

/* *ret_more: there is as much again, perhaps. Readers have their turn between two. */
static enum fault write_some(struct op *op, int64_t before_s, bool *ret_more)
{
    enum fault fault = OK;
    struct batch b = {0};

    pthread_rwlock_wrlock(&meters.writing);
    take(op, before_s, &b);
    if (b.n)
        fault = write_batch(op, &b);
    if (fault != OK)
        db_rollback(op);
    settle(fault == OK);
    pthread_rwlock_unlock(&meters.writing);
    *ret_more = b.n == MINUTES_AT_ONCE;
    return fault;
}

enum fault meters_write(struct op *op, int64_t now_s, bool all)
{
    int64_t before_s = all ? INT64_MAX : (now_s - WRITE_AFTER_S) / 60 * 60;
    enum fault fault = OK;
    bool more = true;

    while (more && fault == OK) {
        struct op scratch; /* of one batch: all meters have a hundred times as much to say */

        op_init(&scratch);
        scratch.db = op->db;
        fault = write_some(&scratch, before_s, &more);
        if (fault != OK)
            fail(op, fault, "%s", scratch.message ? scratch.message : fault_name(fault));
        op_free(&scratch);
    }
    return fault;
}

enum fault meters_prune(struct op *op, int64_t now_s)
{
    TRY(db_query(op, &stmts[PRUNE], NULL, DB_INT((now_s - meters.keep_s) / 60)));
    return db_query(op, &stmts[PRUNE_NAMES], NULL);
}

static enum fault step(struct op *op, const char *key, int64_t *ret_again_ms)
{
    int64_t now = wall_s();

    (void)key;
    TRY(meters_write(op, now, false));
    if (now / 60 % PRUNE_MINUTES == 0)
        TRY(meters_prune(op, now));
    *ret_again_ms = (60 - (now - WRITE_AFTER_S) % 60) * 1000;
    return OK;
}

/* ---- resources end and move ---- */

enum fault meter_delete(struct op *op, const char *key)
{
    return db_query(op, &stmts[DELETE_BELOW], NULL, DB_TEXT(key));
}

enum fault meter_rekey(struct op *op, const char *key, const char *new_key)
{
    if (strcmp(key, new_key) == 0)
        return OK;
    TRY(meter_delete(op, new_key)); /* of a name that had figures before */
    return db_query(op, &stmts[REKEY_BELOW], NULL, DB_TEXT(key), DB_TEXT(new_key));
}

/* ---- life ---- */

void meters_start(int64_t keep_s)
{
    db_register(stmts);
    meter_read_start();
    meters.keep_s = keep_s < 60 ? 60 : keep_s;
    meters.reconciler = reconciler_new("meters", 1, step);
    reconciler_add(meters.reconciler, WRITE_KEY);
}

int64_t meters_keep_s(void)
{
    return meters.keep_s;
}

/* Those who add have ended. */
void meters_stop(void)
{
    struct op op;

    if (!meters.reconciler)
        return;
    reconciler_free(meters.reconciler);
    meters.reconciler = NULL;
    op_init(&op);
    op.db = db_open();
    meters_write(&op, wall_s(), true);
    db_close(op.db);
    op_free(&op);
    for (size_t i = 0; i < METER_BUCKETS; i++)
        while (meters.table[i]) {
            struct meter *m = meters.table[i];

            meters.table[i] = m->next;
            free_meter(m);
        }
    meters.n = 0;
}

void meters_metrics(struct text *out)
{
    size_t n;

    pthread_mutex_lock(&meters.lock);
    n = meters.n;
    pthread_mutex_unlock(&meters.lock);
    metric_head(out, "sundog_meters", "gauge", "figures that are sampled for Microsoft.Insights");
    text_printf(out, "sundog_meters %zu\n", n);
}
