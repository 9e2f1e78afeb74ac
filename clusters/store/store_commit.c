/*
 *~ The committing thread: takes what all clusters have pending, writes it as one statement (which
 *is ~ one transaction), shows it, tells who waits and who listens; and again. While PostgreSQL
 *flushes, ~ the next round gathers: many writers cost one flush.
 *
 * Outcomes. Committed: shown. Refused or not sent: that round, and what was built on it, never
 * happened. The connection died meanwhile: nobody knows; the clusters concerned are read anew and
 * their watches ended. A cluster whose epoch is another's now writes nothing, and is lost.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clusters/store/store_internal.h"
#include "core/db.h"
#include "core/metrics.h"
#include "core/pool.h"
#include "core/seal.h"

#define TICK_MS      1000
#define RELOAD_MS    100
#define ROUND_STORES 256
#define TRIM_CHANGES 5000 /* so many leave holes worth giving back */
#define QUIET        100  /* changes a second between which there is room for it */

enum { OBJECTS_PUT, OBJECTS_CHANGE, RAISE };
#define FENCE                                                                                      \
    "WITH fence AS (UPDATE clusters.managed_cluster m SET revision = f.revision "                  \
    "FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS f(id, epoch, revision) "             \
    "WHERE m.id = f.id AND m.epoch = f.epoch RETURNING m.id), "                                    \
    "put AS (INSERT INTO clusters.object "                                                         \
    "(cluster, resource, namespace, name, revision, document) "                                    \
    "SELECT p.cluster, p.resource, p.namespace, p.name, p.revision, p.document "                   \
    "FROM unnest($4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::text[]) "     \
    "AS p(cluster, resource, namespace, name, revision, document) "                                \
    "JOIN fence ON fence.id = p.cluster "                                                          \
    "ON CONFLICT (cluster, resource, namespace, name) "                                            \
    "DO UPDATE SET revision = excluded.revision, document = excluded.document) "
static const struct db_stmt stmts[] = {
    [OBJECTS_PUT] = {FENCE "SELECT id FROM fence"},
    [OBJECTS_CHANGE] = {FENCE ", gone AS (DELETE FROM clusters.object o USING "
                              "unnest($10::bigint[], $11::text[], $12::text[], $13::text[]) "
                              "AS d(cluster, resource, namespace, name), fence "
                              "WHERE fence.id = d.cluster AND o.cluster = d.cluster "
                              "AND o.resource = d.resource AND o.namespace = d.namespace "
                              "AND o.name = d.name) SELECT id FROM fence"},
    [RAISE] = {"UPDATE clusters.managed_cluster SET revision = greatest(revision, $3) "
               "WHERE id = $1 AND epoch = $2"},
    {0},
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t more, left;
    struct store *all, *dirty;
    struct store *in_round[ROUND_STORES];
    size_t n_in_round;
    bool looking; /* ticks and reloads: nobody may leave */
    bool ending, running;
    unsigned session; /* the connection whose planner was told */
    pthread_t thread;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER,
           .more = PTHREAD_COND_INITIALIZER,
           .left = PTHREAD_COND_INITIALIZER};

static struct metric rounds = {.name = "sundog_clusters_commits_total",
                               .help = "transactions that wrote Kubernetes objects",
                               .type = "counter"};
static struct metric changes = {.name = "sundog_clusters_changes_total",
                                .help = "changes of Kubernetes objects committed",
                                .type = "counter"};
static struct metric refused = {.name = "sundog_clusters_discarded_total",
                                .help = "transactions of Kubernetes objects that failed",
                                .type = "counter"};

/* ---- one statement from many changes ---- */

struct item {
    struct store *store;
    struct pending_change *batch;
    int64_t revision;
    bool committed;
};

struct columns {
    size_t n;
    struct text cluster, revision;
    const char **resource, **ns, **name, **document;
};

static void add_int(struct text *out, int64_t value)
{
    text_printf(out, "%s%lld", out->len > 1 ? "," : "", (long long)value);
}

static void columns_init(struct op *op, struct columns *c, size_t max)
{
    const char ***texts[] = {&c->resource, &c->ns, &c->name, &c->document};

    c->n = 0;
    text_init(&c->cluster, &op->arena, max * 24 + 64);
    text_init(&c->revision, &op->arena, max * 24 + 64);
    text_str(&c->cluster, "{");
    text_str(&c->revision, "{");
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        *texts[i] = arena_alloc(&op->arena, (max + 1) * sizeof(char *));
}

/* Secrets lie sealed in the database (DESIGN §2). */
static const char *document(struct op *op, const struct store *store, const struct object *o)
{
    const char *label;
    struct bytes sealed;

    if (o->resource->group[0] || strcmp(o->resource->plural, "secrets") != 0)
        return o->text.data;
    label = arena_printf(&op->arena, "clusters/object/%lld", (long long)store->cluster);
    sealed = seal(op, label, o->text);
    return base64_encode(&op->arena, sealed, false);
}

static void add_row(struct op *op, struct columns *c, const struct store *store,
                    const struct object *o, bool with_document)
{
    size_t i = c->n++;

    add_int(&c->cluster, store->cluster);
    add_int(&c->revision, o->revision);
    c->resource[i] = resource_qualified(o->resource);
    c->ns[i] = o->ns;
    c->name[i] = o->name;
    if (with_document)
        c->document[i] = document(op, store, o);
}

static size_t count(const struct item *items, size_t n)
{
    size_t total = 0;

    for (size_t i = 0; i < n; i++)
        for (const struct pending_change *c = items[i].batch; c; c = c->next)
            total++;
    return total;
}

static enum fault run(struct op *op, const struct columns *fence, const struct columns *put,
                      const struct columns *gone, const char *epochs, struct db_rows *rows)
{
    if (!gone->n)
        return db_query(op, &stmts[OBJECTS_PUT], rows, DB_TEXT(fence->cluster.data),
                        DB_TEXT(epochs), DB_TEXT(fence->revision.data), DB_TEXT(put->cluster.data),
                        DB_TEXTS(put->resource, put->n), DB_TEXTS(put->ns, put->n),
                        DB_TEXTS(put->name, put->n), DB_TEXT(put->revision.data),
                        DB_TEXTS(put->document, put->n));
    return db_query(op, &stmts[OBJECTS_CHANGE], rows, DB_TEXT(fence->cluster.data), DB_TEXT(epochs),
                    DB_TEXT(fence->revision.data), DB_TEXT(put->cluster.data),
                    DB_TEXTS(put->resource, put->n), DB_TEXTS(put->ns, put->n),
                    DB_TEXTS(put->name, put->n), DB_TEXT(put->revision.data),
                    DB_TEXTS(put->document, put->n), DB_TEXT(gone->cluster.data),
                    DB_TEXTS(gone->resource, gone->n), DB_TEXTS(gone->ns, gone->n),
                    DB_TEXTS(gone->name, gone->n));
}

static void mark_committed(struct item *items, size_t n, int64_t cluster)
{
    for (size_t i = 0; i < n; i++)
        if (items[i].store->cluster == cluster)
            items[i].committed = true;
}

static enum fault write_items(struct op *op, struct item *items, size_t n)
{
    size_t max = count(items, n);
    struct columns fence, put, gone;
    struct text epochs;
    struct db_rows rows;

    columns_init(op, &fence, n);
    columns_init(op, &put, max);
    columns_init(op, &gone, max);
    text_init(&epochs, &op->arena, n * 24 + 64);
    text_str(&epochs, "{");
    for (size_t i = 0; i < n; i++) {
        add_int(&fence.cluster, items[i].store->cluster);
        add_int(&fence.revision, items[i].revision);
        add_int(&epochs, items[i].store->epoch);
        for (const struct pending_change *c = items[i].batch; c; c = c->next)
            if (!c->superseded_by || !c->superseded_by->taken) /* a round is cut somewhere */
                add_row(op, c->kind == EVENT_DELETED ? &gone : &put, items[i].store, c->object,
                        c->kind != EVENT_DELETED);
    }
    for (size_t i = 0; i < 3; i++) {
        struct columns *all[] = {&fence, &put, &gone};

        text_str(&all[i]->cluster, "}");
        text_str(&all[i]->revision, "}");
    }
    text_str(&epochs, "}");
    TRY(run(op, &fence, &put, &gone, epochs.data, &rows));
    while (db_next(&rows))
        mark_committed(items, n, db_int(&rows, "id"));
    return OK;
}

/* Plans that hold whatever size the tables had when they were made: always by the key. */
static enum fault tell_planner(struct op *op)
{
    TRY(db_check(op));
    if (state.session == db_session(op))
        return OK;
    TRY(db_exec(op, "SET enable_seqscan = off; SET enable_hashjoin = off; "
                    "SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan"));
    state.session = db_session(op);
    return OK;
}

/* ---- a round ---- */

static void free_batch(struct pending_change *batch)
{
    while (batch) {
        struct pending_change *next = batch->next;

        change_free(batch);
        batch = next;
    }
}

static void succeeded(struct item *item)
{
    struct store *store = item->store;

    store_publish(store, item->batch, item->revision);
    store_answer_waiters(store);
    for (int pass = 0; pass < 2; pass++) {
        for (struct pending_change *c = item->batch; c; c = c->next) {
            struct event e = {c->kind, c->object->revision, c->object, c->previous};

            atomic_fetch_add_explicit(&changes.value, pass, memory_order_relaxed);
            if (pass == 0)
                store_tell_listeners(store, &e);
            else
                store_tell(store, &e);
        }
    }
    free_batch(item->batch);
}

/* The batch and all that was built on it never happened, or (unknown) nobody can say. */
static void failed(struct item *item, bool is_lost, bool unknown)
{
    struct store *store = item->store;
    struct pending_change **end = &item->batch;
    bool first_loss;

    atomic_fetch_add_explicit(&refused.value, 1, memory_order_relaxed);
    pthread_mutex_lock(&store->write_lock);
    while (*end)
        end = &(*end)->next;
    *end = store->queue;
    store->queue = item->batch;
    store_discard(store);
    first_loss = is_lost && !store->is_lost;
    store->is_lost |= is_lost;
    store->unknown |= unknown;
    pthread_mutex_unlock(&store->write_lock);
    if (first_loss && store->lost)
        store->lost(store->user); /* before its writers hear of it */
    store_answer_waiters(store);
}

static void commit_items(struct db *db, struct item *items, size_t n)
{
    struct op op;
    enum fault fault;
    bool sent;

    op_init(&op);
    op.db = db;
    sent = tell_planner(&op) == OK;
    fault = sent ? write_items(&op, items, n) : UNAVAILABLE;
    op_free(&op);
    if (fault != OK && fault != UNAVAILABLE && n > 1) { /* a row of one spoils it for all */
        for (size_t i = 0; i < n; i++)
            commit_items(db, &items[i], 1);
        return;
    }
    atomic_fetch_add_explicit(&rounds.value, 1, memory_order_relaxed);
    for (size_t i = 0; i < n; i++) {
        if (fault == OK && items[i].committed)
            succeeded(&items[i]);
        else
            failed(&items[i], fault == OK, fault == UNAVAILABLE && sent);
    }
}

/* Take what a store has pending, up to a bound. */
static void take(struct store *store, struct item *item)
{
    struct pending_change **end;
    size_t bytes = 0;

    *item = (struct item){.store = store};
    pthread_mutex_lock(&store->write_lock);
    item->batch = store->queue;
    for (end = &item->batch; *end && bytes < ROUND_BYTES; end = &(*end)->next) {
        (*end)->taken = true;
        item->revision = (*end)->object->revision;
        bytes += (*end)->object->text.len + 64;
    }
    store->queue = *end;
    *end = NULL;
    if (store->queue)
        store_dirty(store);
    else
        store->queue_tail = &store->queue;
    pthread_mutex_unlock(&store->write_lock);
}

static void run_round(struct db *db)
{
    struct item items[ROUND_STORES];
    size_t n = 0;

    for (size_t i = 0; i < state.n_in_round; i++) {
        take(state.in_round[i], &items[n]);
        n += items[n].batch != NULL;
    }
    if (n)
        commit_items(db, items, n);
}

/* ---- after a commit of unknown outcome ---- */

static enum fault read_anew(struct op *op, struct store *store, struct store *fresh)
{
    fresh->cluster = store->cluster;
    fresh->epoch = store->epoch;
    /* numbers given before may have been seen: the row must not fall behind them */
    TRY(db_query(op, &stmts[RAISE], NULL, DB_INT(store->cluster), DB_INT(store->epoch),
                 DB_INT(store->last)));
    return store_load(op, fresh);
}

static void exchange(struct store *store, struct store *fresh)
{
    pthread_mutex_lock(&store->write_lock);
    pthread_mutex_lock(&store->lock);
    store_clear(store);
    memcpy(store->buckets, fresh->buckets, sizeof(store->buckets));
    memset(fresh->buckets, 0, sizeof(fresh->buckets));
    store->revision = store->last = fresh->revision;
    for (size_t i = 0; i < RESOURCE_INDEX_MAX; i++)
        store->buckets[i].changed = store->revision;
    store->history.floor = store->revision;
    store->unknown = false;
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_unlock(&store->write_lock);
}

static void reload(struct db *db, struct store *store)
{
    struct store *fresh = calloc(1, sizeof(*fresh));
    struct op op;
    enum fault fault;

    if (!fresh)
        abort();
    op_init(&op);
    op.db = db;
    fault = read_anew(&op, store, fresh);
    op_free(&op);
    if (fault == OK) {
        exchange(store, fresh);
        store_end_watches(store);
        store_tell_listeners(store, NULL);
    } else if (fault == NOT_FOUND) {
        struct item nothing = {.store = store};

        store->unknown = false;
        failed(&nothing, true, false);
    }
    store_clear(fresh);
    free(fresh);
}

static bool look_after(struct db *db, bool tick)
{
    bool waits = false;

    for (struct store *s = state.all; s; s = s->next) {
        bool unknown;

        pthread_mutex_lock(&s->write_lock);
        unknown = s->unknown;
        pthread_mutex_unlock(&s->write_lock);
        if (unknown)
            reload(db, s);
        else if (tick)
            store_tick(s);
        waits |= unknown;
    }
    return waits;
}

/* ---- the thread ---- */

static atomic_bool trimming;

static void trim(struct task *task, struct db *db)
{
    (void)task;
    (void)db;
    malloc_trim(0);
    atomic_store(&trimming, false);
}

/* Trees are many small pieces, and what is left of a busy time is holes: hundreds of MiB after some
   ten thousand objects. They go back to the kernel when it is quiet, by a thread that may take its
   time: a tenth of a second for them. */
static void give_back(void)
{
    static struct task task = {.run = trim};
    static uint64_t seen, trimmed;
    uint64_t now = atomic_load_explicit(&changes.value, memory_order_relaxed);

    if (now - seen < QUIET && now - trimmed >= TRIM_CHANGES && slow_pool &&
        !atomic_exchange(&trimming, true)) {
        if (pool_post(slow_pool, &task))
            trimmed = now;
        else
            atomic_store(&trimming, false);
    }
    seen = now;
}

static void wait_until(int64_t ms)
{
    struct timespec until;
    int64_t left = ms - now_ms();

    if (left <= 0 || state.dirty || state.ending)
        return;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += left / 1000;
    until.tv_nsec += left % 1000 * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&state.more, &state.lock, &until);
}

static void take_dirty(void)
{
    state.n_in_round = 0;
    while (state.dirty && state.n_in_round < ROUND_STORES) {
        struct store *s = state.dirty;

        state.dirty = s->next_dirty;
        s->dirty = false;
        state.in_round[state.n_in_round++] = s;
    }
}

static void *commit_main(void *arg)
{
    struct db *db = arg;
    int64_t tick_ms = now_ms() + TICK_MS, reload_ms = INT64_MAX;

    pthread_setname_np(pthread_self(), "objects");
    pthread_mutex_lock(&state.lock);
    while (!state.ending || state.dirty) {
        bool due;

        wait_until(tick_ms < reload_ms ? tick_ms : reload_ms);
        take_dirty();
        pthread_mutex_unlock(&state.lock);
        if (state.n_in_round)
            run_round(db);
        pthread_mutex_lock(&state.lock);
        state.n_in_round = 0;
        due = now_ms() >= tick_ms;
        if (due || now_ms() >= reload_ms || reload_ms == INT64_MAX) {
            state.looking = true; /* nobody joins or leaves meanwhile */
            pthread_mutex_unlock(&state.lock);
            reload_ms = look_after(db, due) ? now_ms() + RELOAD_MS : INT64_MAX;
            if (due)
                give_back();
            tick_ms = due ? now_ms() + TICK_MS : tick_ms;
            pthread_mutex_lock(&state.lock);
            state.looking = false;
        }
        pthread_cond_broadcast(&state.left);
    }
    pthread_mutex_unlock(&state.lock);
    db_close(db);
    return NULL;
}

void stores_start(void)
{
    metric_register(&rounds);
    metric_register(&changes);
    metric_register(&refused);
    db_register(stmts);
    state.ending = false;
    state.session = 0;
    state.running = pthread_create(&state.thread, NULL, commit_main, db_open()) == 0;
    if (!state.running)
        abort();
}

void stores_stop(void)
{
    if (!state.running)
        return;
    pthread_mutex_lock(&state.lock);
    state.ending = true;
    pthread_cond_signal(&state.more);
    pthread_mutex_unlock(&state.lock);
    pthread_join(state.thread, NULL);
    state.running = false;
}

void store_dirty(struct store *store)
{
    pthread_mutex_lock(&state.lock);
    if (!store->dirty) {
        store->dirty = true;
        store->next_dirty = state.dirty;
        state.dirty = store;
        pthread_cond_signal(&state.more);
    }
    pthread_mutex_unlock(&state.lock);
}

void store_enroll(struct store *store)
{
    pthread_mutex_lock(&state.lock);
    while (state.looking)
        pthread_cond_wait(&state.left, &state.lock);
    store->next = state.all;
    state.all = store;
    pthread_mutex_unlock(&state.lock);
}

static bool is_busy(const struct store *store)
{
    for (size_t i = 0; i < state.n_in_round; i++)
        if (state.in_round[i] == store)
            return true;
    return store->dirty || state.looking;
}

void store_leave(struct store *store)
{
    struct store **at = &state.all;

    pthread_mutex_lock(&state.lock);
    while (is_busy(store))
        pthread_cond_wait(&state.left, &state.lock);
    while (*at != store)
        at = &(*at)->next;
    *at = store->next;
    pthread_mutex_unlock(&state.lock);
}

void stores_metrics(struct text *out)
{
    size_t stores = 0, watches = 0, objects = 0;

    pthread_mutex_lock(&state.lock);
    for (struct store *s = state.all; s; s = s->next) {
        stores++;
        pthread_mutex_lock(&s->lock);
        for (size_t i = 0; i < RESOURCE_INDEX_MAX; i++)
            objects += s->buckets[i].n;
        pthread_mutex_unlock(&s->lock);
        watches += atomic_load(&s->n_watches);
    }
    pthread_mutex_unlock(&state.lock);
    metric_head(out, "sundog_clusters_running", "gauge", "clusters whose objects are in memory");
    text_printf(out, "sundog_clusters_running %zu\n", stores);
    metric_head(out, "sundog_clusters_objects", "gauge", "Kubernetes objects in memory");
    text_printf(out, "sundog_clusters_objects %zu\n", objects);
    metric_head(out, "sundog_clusters_watches", "gauge", "open watches of clients");
    text_printf(out, "sundog_clusters_watches %zu\n", watches);
}
