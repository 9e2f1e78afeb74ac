#include "clusters/store/store.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "tests/unit/clusters/fixture.h"

#define N_WRITERS  4
#define N_WATCHERS 6
#define N_ROUNDS   150
#define N_NAMES    5

static const struct resource *maps(void)
{
    return resource_find("", "v1", "configmaps");
}

static json_t *tree_of(struct op *op, const char *ns, const char *name, int value)
{
    json_t *tree = object_new(op, maps(), ns, name);

    set_at(tree, "metadata.uid", json_string(name));
    set_at(tree, "metadata.labels.n", json_sprintf("%d", value % 2));
    set_at(tree, "data.value", json_sprintf("%d", value));
    return tree;
}

static enum fault put(struct op *op, struct store *store, enum change change, const char *ns,
                      const char *name, int value, int64_t expected, int64_t *ret_revision)
{
    struct write w = {.change = change,
                      .resource = maps(),
                      .ns = ns,
                      .name = name,
                      .tree = change == CHANGE_DELETE ? NULL : tree_of(op, ns, name, value),
                      .expected = expected};

    return store_submit(op, store, &w, ret_revision, NULL);
}

static void test_write_and_read(void)
{
    struct fixture f;
    struct store *store;
    struct object *object;
    int64_t revision = 0, second = 0;

    fixture_start(&f);
    store = f.cluster.store;
    CU_ASSERT_EQUAL(put(&f.op, store, CHANGE_CREATE, "a", "x", 1, 0, &revision), OK);
    object = store_latest(&f.op, store, maps(), "a", "x");
    CU_ASSERT_PTR_NOT_NULL_FATAL(object); /* writers see what is pending */
    CU_ASSERT_EQUAL(store_wait(&f.op, store, revision), OK);
    object = store_read(&f.op, store, maps(), "a", "x");
    CU_ASSERT_PTR_NOT_NULL_FATAL(object);
    CU_ASSERT_EQUAL(object->revision, revision);
    CU_ASSERT_STRING_EQUAL(text_at(object_tree(object), "data.value"), "1");
    CU_ASSERT_EQUAL(
        strncmp(object->text.data, "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",", 38), 0);
    CU_ASSERT_EQUAL(put(&f.op, store, CHANGE_CREATE, "a", "x", 1, 0, &second), CONFLICT);
    CU_ASSERT_STRING_EQUAL(f.op.message, "configmaps \"x\" already exists");
    CU_ASSERT_EQUAL(put(&f.op, store, CHANGE_UPDATE, "a", "x", 2, revision - 1, &second), CONFLICT);
    /* an update that changes nothing is not one */
    CU_ASSERT_EQUAL(put(&f.op, store, CHANGE_UPDATE, "a", "x", 1, revision, &second), OK);
    CU_ASSERT_EQUAL(second, revision);
    CU_ASSERT_EQUAL(put(&f.op, store, CHANGE_UPDATE, "a", "x", 2, revision, &second), OK);
    CU_ASSERT_EQUAL(put(&f.op, store, CHANGE_DELETE, "a", "x", 0, second, &second), OK);
    CU_ASSERT_PTR_NULL(store_latest(&f.op, store, maps(), "a", "x"));
    CU_ASSERT_EQUAL(put(&f.op, store, CHANGE_UPDATE, "a", "x", 2, 0, &second), NOT_FOUND);
    CU_ASSERT_EQUAL(store_wait(&f.op, store, second), OK);
    CU_ASSERT_PTR_NULL(store_read(&f.op, store, maps(), "a", "x"));
    fixture_end(&f);
}

static void test_pages_of_the_past(void)
{
    struct fixture f;
    struct store *store;
    struct store_page page = {0};
    int64_t revision = 0, middle = 0;

    fixture_start(&f);
    store = f.cluster.store;
    for (int i = 0; i < 6; i++) {
        char name[16];

        snprintf(name, sizeof(name), "x%d", i);
        CU_ASSERT_EQUAL(put(&f.op, store, CHANGE_CREATE, i % 2 ? "b" : "a", name, i, 0, &middle),
                        OK);
    }
    CU_ASSERT_EQUAL(store_wait(&f.op, store, middle), OK);
    put(&f.op, store, CHANGE_DELETE, "a", "x2", 0, 0, &revision);
    put(&f.op, store, CHANGE_UPDATE, "b", "x1", 7, 0, &revision);
    put(&f.op, store, CHANGE_CREATE, "b", "x9", 9, 0, &revision);
    CU_ASSERT_EQUAL(store_wait(&f.op, store, revision), OK);
    CU_ASSERT_EQUAL(store_list(&f.op, store, maps(), NULL, NULL, NULL, 0, 0, &page), OK);
    CU_ASSERT_EQUAL(page.n, 6);
    CU_ASSERT_EQUAL(page.revision, revision);
    /* as it was before the three */
    CU_ASSERT_EQUAL(store_list(&f.op, store, maps(), NULL, NULL, NULL, 2, middle, &page), OK);
    CU_ASSERT_EQUAL(page.n, 2);
    CU_ASSERT_EQUAL(page.remaining, 4);
    CU_ASSERT_STRING_EQUAL(page.objects[1]->name, "x2");
    CU_ASSERT_EQUAL(store_list(&f.op, store, maps(), NULL, "a", "x2", 0, middle, &page), OK);
    CU_ASSERT_EQUAL(page.n, 4);
    CU_ASSERT_STRING_EQUAL(page.objects[0]->name, "x4");
    CU_ASSERT_STRING_EQUAL(text_at(object_tree(page.objects[1]), "data.value"), "1");
    CU_ASSERT_EQUAL(store_list(&f.op, store, maps(), "b", NULL, NULL, 0, 0, &page), OK);
    CU_ASSERT_EQUAL(page.n, 4);
    CU_ASSERT_EQUAL(store_count(store, maps(), "a"), 2);
    CU_ASSERT_EQUAL(store_list(&f.op, store, maps(), NULL, NULL, NULL, 0, 1, &page), OK);
    CU_ASSERT_EQUAL(page.n, 0);
    fixture_end(&f);
}

/* What was committed is there again; secrets are not readable in the database. */
static void test_reopened(void)
{
    const struct resource *secrets = resource_find("", "v1", "secrets");
    struct fixture f;
    struct object *object;
    int64_t revision = 0;
    json_t *tree;
    struct write w;

    fixture_start(&f);
    CU_ASSERT_EQUAL(put(&f.op, f.cluster.store, CHANGE_CREATE, "a", "x", 1, 0, &revision), OK);
    tree = object_new(&f.op, secrets, "a", "s");
    set_at(tree, "data.password", json_string("aHVzaA=="));
    w = (struct write){
        .change = CHANGE_CREATE, .resource = secrets, .ns = "a", .name = "s", .tree = tree};
    CU_ASSERT_EQUAL(store_submit(&f.op, f.cluster.store, &w, &revision, NULL), OK);
    CU_ASSERT_EQUAL(store_wait(&f.op, f.cluster.store, revision), OK);
    CU_ASSERT_EQUAL(fixture_number(&f, "SELECT count(*) FROM clusters.object WHERE "
                                       "document LIKE '%aHVzaA%'"),
                    0);
    store_close(f.cluster.store);
    fixture_open(&f);
    CU_ASSERT_EQUAL(store_revision(f.cluster.store), revision);
    object = store_read(&f.op, f.cluster.store, secrets, "a", "s");
    CU_ASSERT_PTR_NOT_NULL_FATAL(object);
    CU_ASSERT_STRING_EQUAL(text_at(object_tree(object), "data.password"), "aHVzaA==");
    object = store_read(&f.op, f.cluster.store, maps(), "a", "x");
    CU_ASSERT_PTR_NOT_NULL_FATAL(object);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(object->labels, "n")), "1");
    fixture_end(&f);
}

static void test_another_owner(void)
{
    struct fixture f;
    char sql[128];
    int64_t revision = 0;

    fixture_start(&f);
    snprintf(sql, sizeof(sql), "UPDATE clusters.managed_cluster SET epoch = 2 WHERE id = %lld",
             (long long)f.cluster.row);
    fixture_exec(&f, sql);
    CU_ASSERT_EQUAL(put(&f.op, f.cluster.store, CHANGE_CREATE, "a", "x", 1, 0, &revision), OK);
    CU_ASSERT_EQUAL(store_wait(&f.op, f.cluster.store, revision), UNAVAILABLE);
    CU_ASSERT_PTR_NULL(store_latest(&f.op, f.cluster.store, maps(), "a", "x"));
    CU_ASSERT_EQUAL(put(&f.op, f.cluster.store, CHANGE_CREATE, "a", "y", 1, 0, &revision),
                    UNAVAILABLE);
    CU_ASSERT_EQUAL(f.lost, 1);
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM clusters.object WHERE cluster = %lld",
             (long long)f.cluster.row);
    CU_ASSERT_EQUAL(fixture_number(&f, sql), 0);
    fixture_end(&f);
}

/* Another cluster's bad row spoils only its own round. */
static void test_one_cluster_does_not_fail_another(void)
{
    struct fixture f, g;
    char sql[256];
    int64_t bad = 0, good = 0;

    fixture_start(&f);
    fixture_row(&g);
    fixture_open(&g);
    snprintf(sql, sizeof(sql),
             "ALTER TABLE clusters.object ADD CONSTRAINT spoiled CHECK (cluster <> %lld)",
             (long long)f.cluster.row);
    fixture_exec(&f, sql);
    CU_ASSERT_EQUAL(put(&f.op, f.cluster.store, CHANGE_CREATE, "a", "x", 1, 0, &bad), OK);
    CU_ASSERT_EQUAL(put(&g.op, g.cluster.store, CHANGE_CREATE, "a", "x", 1, 0, &good), OK);
    CU_ASSERT_EQUAL(store_wait(&f.op, f.cluster.store, bad), UNAVAILABLE);
    CU_ASSERT_EQUAL(store_wait(&g.op, g.cluster.store, good), OK);
    fixture_exec(&f, "ALTER TABLE clusters.object DROP CONSTRAINT spoiled");
    /* the failed one works again, and its number is not used again */
    CU_ASSERT_EQUAL(put(&f.op, f.cluster.store, CHANGE_CREATE, "a", "x", 1, 0, &good), OK);
    CU_ASSERT_TRUE(good > bad);
    CU_ASSERT_EQUAL(store_wait(&f.op, f.cluster.store, good), OK);
    CU_ASSERT_EQUAL(store_wait(&f.op, f.cluster.store, bad), UNAVAILABLE);
    store_close(g.cluster.store);
    snprintf(sql, sizeof(sql), "DELETE FROM clusters.managed_cluster WHERE id = %lld",
             (long long)g.cluster.row);
    fixture_exec(&g, sql);
    op_free(&g.op);
    db_close(g.db);
    fixture_end(&f);
}

/* ---- watches ---- */

struct log {
    struct watch watch;
    struct event events[4096];
    size_t n, listed;
    int ended;
    pthread_mutex_t lock;
};

static bool note(struct watch *watch, const struct event *e)
{
    struct log *log = watch->user;

    pthread_mutex_lock(&log->lock);
    CU_ASSERT_TRUE_FATAL(log->n < ARRAY_LEN(log->events));
    log->events[log->n] = *e;
    object_hold(e->object);
    log->n++;
    pthread_mutex_unlock(&log->lock);
    return true;
}

static void note_end(struct watch *watch)
{
    ((struct log *)watch->user)->ended++;
}

static struct log *watch_new(void)
{
    struct log *log = calloc(1, sizeof(*log));

    pthread_mutex_init(&log->lock, NULL);
    log->watch = (struct watch){.accept = note, .ended = note_end, .user = log, .resource = maps()};
    return log;
}

static void watch_free(struct log *log)
{
    for (size_t i = 0; i < log->n; i++)
        object_drop(log->events[i].object);
    free(log);
}

/* All that was committed up to a revision has been told. */
static void told(struct fixture *f, struct log *log, int64_t revision)
{
    struct timespec pause = {.tv_nsec = 1000000};

    (void)f;
    for (;;) {
        int64_t seen;

        pthread_mutex_lock(&log->lock);
        seen = log->n ? log->events[log->n - 1].revision : 0;
        pthread_mutex_unlock(&log->lock);
        if (seen >= revision)
            return;
        nanosleep(&pause, NULL);
    }
}

static void test_watch_resumes(void)
{
    struct log *all = watch_new(), *named = watch_new(), *labelled = watch_new();
    struct log *late = watch_new();
    struct fixture f;
    int64_t first = 0, left = 0, revision = 0;

    fixture_start(&f);
    put(&f.op, f.cluster.store, CHANGE_CREATE, "a", "x", 1, 0, &first);
    CU_ASSERT_EQUAL(store_wait(&f.op, f.cluster.store, first), OK);
    named->watch.ns = "a";
    named->watch.name = "y";
    labelled->watch.key = "n";
    labelled->watch.value = "1";
    CU_ASSERT_EQUAL(store_watch(&f.op, f.cluster.store, &all->watch, first), OK);
    CU_ASSERT_EQUAL(store_watch(&f.op, f.cluster.store, &named->watch, first), OK);
    CU_ASSERT_EQUAL(store_watch(&f.op, f.cluster.store, &labelled->watch, first), OK);
    put(&f.op, f.cluster.store, CHANGE_CREATE, "a", "y", 2, 0, &revision);
    put(&f.op, f.cluster.store, CHANGE_UPDATE, "a", "x", 2, 0, &left); /* leaves the label */
    put(&f.op, f.cluster.store, CHANGE_UPDATE, "a", "x", 4, 0, &revision);
    put(&f.op, f.cluster.store, CHANGE_DELETE, "a", "y", 0, 0, &revision);
    CU_ASSERT_EQUAL(store_wait(&f.op, f.cluster.store, revision), OK);
    told(&f, all, revision);
    told(&f, named, revision);
    told(&f, labelled, left);
    CU_ASSERT_EQUAL(all->n, 4);
    CU_ASSERT_EQUAL(named->n, 2);
    CU_ASSERT_EQUAL(labelled->n, 1);
    /* from history alone */
    CU_ASSERT_EQUAL(store_watch(&f.op, f.cluster.store, &late->watch, first), OK);
    CU_ASSERT_EQUAL(late->n, 4);
    CU_ASSERT_EQUAL(late->events[3].kind, EVENT_DELETED);
    CU_ASSERT_EQUAL(late->events[3].object->revision, revision);
    store_unwatch(&late->watch);
    CU_ASSERT_EQUAL(store_watch(&f.op, f.cluster.store, &late->watch, 0), OK);
    store_unwatch(&all->watch);
    store_unwatch(&named->watch);
    store_unwatch(&labelled->watch);
    /* a new start has no history: from before it is too old; open watches are ended */
    store_close(f.cluster.store);
    CU_ASSERT_EQUAL(late->ended, 1);
    fixture_open(&f);
    CU_ASSERT_EQUAL(store_watch(&f.op, f.cluster.store, &late->watch, first), GONE);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.op.message, "too old resource version"));
    watch_free(all);
    watch_free(named);
    watch_free(labelled);
    watch_free(late);
    fixture_end(&f);
}

/* ---- many at once, and a checker of what each of them saw ---- */

struct party {
    struct fixture *f;
    int number;
    struct log *log;
    int64_t from;
    pthread_t thread;
};

static void *write_many(void *arg)
{
    struct party *p = arg;
    struct store *store = p->f->cluster.store;

    for (int i = 0; i < N_ROUNDS; i++) {
        char name[16];
        struct object *now;
        int64_t revision = 0;
        struct op op;

        op_init(&op);
        snprintf(name, sizeof(name), "x%d", (i + p->number) % N_NAMES);
        now = store_latest(&op, store, maps(), "a", name);
        if (!now)
            put(&op, store, CHANGE_CREATE, "a", name, i, 0, &revision);
        else if (i % 7 == 3)
            put(&op, store, CHANGE_DELETE, "a", name, i, now->revision, &revision);
        else
            put(&op, store, CHANGE_UPDATE, "a", name, i * 10 + p->number, now->revision, &revision);
        if (revision && i % 3 == 0) {
            struct object *seen;

            CU_ASSERT_EQUAL(store_wait(&op, store, revision), OK);
            seen = store_read(&op, store, maps(), "a", name); /* its own write, or a later one */
            CU_ASSERT_TRUE(!seen || seen->revision >= revision || store_revision(store) > revision);
        }
        op_free(&op);
    }
    return NULL;
}

/* List, then watch from there, some of them while others write. */
static void *watch_many(void *arg)
{
    struct party *p = arg;
    struct store_page page = {0};
    struct op op;

    op_init(&op);
    CU_ASSERT_EQUAL(store_list(&op, p->f->cluster.store, maps(), NULL, NULL, NULL, 0, 0, &page),
                    OK);
    for (size_t i = 0; i < page.n; i++) {
        struct event e = {EVENT_ADDED, page.objects[i]->revision, page.objects[i], NULL};

        note(&p->log->watch, &e);
    }
    p->log->listed = p->log->n;
    p->from = page.revision;
    CU_ASSERT_EQUAL(store_watch(&op, p->f->cluster.store, &p->log->watch, page.revision), OK);
    op_free(&op);
    return NULL;
}

/* Replay what a watcher saw: kinds fit what it had, revisions rise, and it ends where the store is.
 */
static void check_history(struct party *p, const struct log *truth, const struct store_page *end)
{
    const struct log *log = p->log;
    struct object *have[N_NAMES] = {NULL};
    size_t i = 0, count = 0;

    while (i < truth->n && truth->events[i].revision <= p->from)
        i++;
    CU_ASSERT_EQUAL_FATAL(log->n - log->listed, truth->n - i); /* none lost, none doubled */
    for (size_t j = 0; j < log->n; j++) {
        const struct event *e = &log->events[j];
        int n = e->object->name[1] - '0';

        if (j >= log->listed) {
            CU_ASSERT_EQUAL(e->revision, truth->events[i + j - log->listed].revision);
            CU_ASSERT_TRUE(e->revision > p->from);
        }
        if (j > log->listed)
            CU_ASSERT_TRUE(e->revision > log->events[j - 1].revision);
        CU_ASSERT_EQUAL(have[n] != NULL, e->kind != EVENT_ADDED);
        have[n] = e->kind == EVENT_DELETED ? NULL : e->object;
    }
    for (int n = 0; n < N_NAMES; n++)
        count += have[n] != NULL;
    CU_ASSERT_EQUAL(count, end->n);
    for (size_t j = 0; j < end->n; j++)
        CU_ASSERT_PTR_EQUAL(have[end->objects[j]->name[1] - '0'], end->objects[j]);
}

static void test_no_event_is_lost(void)
{
    struct party writers[N_WRITERS], watchers[N_WATCHERS];
    struct log *truth = watch_new();
    struct store_page page = {0};
    struct fixture f;

    fixture_start(&f);
    CU_ASSERT_EQUAL(
        store_watch(&f.op, f.cluster.store, &truth->watch, store_revision(f.cluster.store)), OK);
    for (int i = 0; i < N_WRITERS; i++) {
        writers[i] = (struct party){.f = &f, .number = i};
        pthread_create(&writers[i].thread, NULL, write_many, &writers[i]);
    }
    for (int i = 0; i < N_WATCHERS; i++) {
        watchers[i] = (struct party){.f = &f, .number = i, .log = watch_new()};
        pthread_create(&watchers[i].thread, NULL, watch_many, &watchers[i]);
        pthread_join(watchers[i].thread, NULL); /* each begins somewhere else */
        sched_yield();
    }
    for (int i = 0; i < N_WRITERS; i++)
        pthread_join(writers[i].thread, NULL);
    /* one last change, so that all have something to wait for */
    {
        int64_t revision = 0;

        put(&f.op, f.cluster.store, CHANGE_DELETE, "a", "x0", 0, 0, &revision);
        put(&f.op, f.cluster.store, CHANGE_CREATE, "a", "x0", -1, 0, &revision);
        CU_ASSERT_EQUAL(store_wait(&f.op, f.cluster.store, revision), OK);
        told(&f, truth, revision);
        for (int i = 0; i < N_WATCHERS; i++)
            told(&f, watchers[i].log, revision);
    }
    CU_ASSERT_EQUAL(store_list(&f.op, f.cluster.store, maps(), NULL, NULL, NULL, 0, 0, &page), OK);
    for (int i = 0; i < N_WATCHERS; i++) {
        check_history(&watchers[i], truth, &page);
        store_unwatch(&watchers[i].log->watch);
        watch_free(watchers[i].log);
    }
    store_unwatch(&truth->watch);
    watch_free(truth);
    fixture_end(&f);
}

/* The connection dies while a commit is under way: nobody knows; then the rows are read again. */
static void test_unknown_outcome(void)
{
    struct log *log = watch_new();
    struct timespec pause = {.tv_nsec = 1000000};
    struct fixture f;
    struct object *object;
    int64_t first = 0, revision = 0;
    char sql[512];
    enum fault fault;

    fixture_start(&f);
    put(&f.op, f.cluster.store, CHANGE_CREATE, "a", "x", 1, 0, &first);
    CU_ASSERT_EQUAL(store_wait(&f.op, f.cluster.store, first), OK);
    CU_ASSERT_EQUAL(store_watch(&f.op, f.cluster.store, &log->watch, 0), OK);
    /* hold the row: the committing statement waits, and is then killed */
    fixture_exec(&f, "BEGIN");
    snprintf(sql, sizeof(sql), "SELECT 1 FROM clusters.managed_cluster WHERE id = %lld FOR UPDATE",
             (long long)f.cluster.row);
    fixture_exec(&f, sql);
    put(&f.op, f.cluster.store, CHANGE_UPDATE, "a", "x", 2, 0, &revision);
    snprintf(sql, sizeof(sql),
             "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
             "wait_event_type = 'Lock' AND query LIKE '%%clusters.managed_cluster m%%' AND "
             "pg_backend_pid() = ANY (pg_blocking_pids(pid))");
    while (fixture_number(&f, sql) == 0)
        nanosleep(&pause, NULL);
    fixture_exec(&f, "ROLLBACK");
    CU_ASSERT_EQUAL(store_wait(&f.op, f.cluster.store, revision), UNAVAILABLE);
    do { /* refused until the rows are read anew */
        fault = put(&f.op, f.cluster.store, CHANGE_UPDATE, "a", "x", 3, 0, &revision);
        nanosleep(&pause, NULL);
    } while (fault == UNAVAILABLE);
    CU_ASSERT_EQUAL(fault, OK);
    CU_ASSERT_EQUAL(store_wait(&f.op, f.cluster.store, revision), OK);
    object = store_read(&f.op, f.cluster.store, maps(), "a", "x");
    CU_ASSERT_PTR_NOT_NULL_FATAL(object);
    CU_ASSERT_STRING_EQUAL(text_at(object_tree(object), "data.value"), "3");
    CU_ASSERT_EQUAL(log->ended, 1);
    CU_ASSERT_EQUAL(store_watch(&f.op, f.cluster.store, &log->watch, first), GONE);
    watch_free(log);
    fixture_end(&f);
}

CU_TestInfo clusters_store_store_tests[] = {
    {"write and read",                            test_write_and_read                   },
    {"pages of the past",                         test_pages_of_the_past                },
    {"reopened",                                  test_reopened                         },
    {"another owner",                             test_another_owner                    },
    {"one cluster does not fail another",         test_one_cluster_does_not_fail_another},
    {"a watch resumes",                           test_watch_resumes                    },
    {"no event is lost, doubled or out of order", test_no_event_is_lost                 },
    {"a commit of unknown outcome",               test_unknown_outcome                  },
    CU_TEST_INFO_NULL,
};
