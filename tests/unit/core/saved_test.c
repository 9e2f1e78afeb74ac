/* States of a database: what is saved, and what loading makes of everything else. */
#include "core/saved.h"

#include <string.h>

#include "tests/unit/unit.h"

static void exec(struct op *op, const char *sql)
{
    CU_ASSERT_EQUAL_FATAL(db_exec(op, sql), OK);
}

static const char *ask(struct op *op, const char *sql)
{
    PGresult *result = PQexec(db_pgconn(op->db), sql);
    const char *text = "";

    CU_ASSERT_EQUAL_FATAL(PQresultStatus(result), PGRES_TUPLES_OK);
    if (PQntuples(result) > 0)
        text = arena_strdup(&op->arena, PQgetvalue(result, 0, 0));
    PQclear(result);
    return text;
}

/* Tables of its own: one refers to another and to itself, has an identity, a computed column and a
   trigger that would write again what was saved. */
static void begin(struct op *op)
{
    unit_op(op);
    CU_ASSERT_EQUAL_FATAL(db_begin(op), OK);
    exec(op, "CREATE SCHEMA saved_test;"
             "CREATE TABLE saved_test.b_parent (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
             " name text, up bigint REFERENCES saved_test.b_parent,"
             " long int GENERATED ALWAYS AS (length(name)) STORED);"
             "CREATE TABLE saved_test.a_child (parent bigint REFERENCES saved_test.b_parent,"
             " data bytea);"
             "CREATE TABLE saved_test.empty (x int);"
             "CREATE FUNCTION saved_test.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
             " INSERT INTO saved_test.a_child VALUES (NEW.id, 'noted'); RETURN NEW; END $$;"
             "CREATE TRIGGER note AFTER INSERT ON saved_test.b_parent FOR EACH ROW"
             " EXECUTE FUNCTION saved_test.note();"
             "INSERT INTO saved_test.b_parent (name) VALUES ('one');"
             "INSERT INTO saved_test.b_parent (name, up) VALUES ('two', 1);"
             "SELECT core.save_state('t', 3, 4)");
}

static void test_load(void)
{
    static const char all[] =
        "SELECT string_agg(name || ':' || coalesce(up, 0) || ':' || long, ' ' ORDER BY id)"
        " || (SELECT string_agg(' ' || parent || encode(data, 'escape'), '' ORDER BY parent)"
        " FROM saved_test.a_child) FROM saved_test.b_parent";
    struct op op;
    const char *before;

    begin(&op);
    before = ask(&op, all);
    CU_ASSERT_STRING_EQUAL(before, "one:0:3 two:1:3 1noted 2noted");
    exec(&op, "UPDATE saved_test.b_parent SET name = 'other';"
              "INSERT INTO saved_test.b_parent (name) VALUES ('three');"
              "INSERT INTO saved_test.empty VALUES (1); SELECT core.load_state('t')");
    CU_ASSERT_STRING_EQUAL(ask(&op, all), before);
    CU_ASSERT_STRING_EQUAL(ask(&op, "SELECT count(*) FROM saved_test.empty"), "0");
    exec(&op, "INSERT INTO saved_test.b_parent (name) VALUES ('four')");
    CU_ASSERT_STRING_EQUAL(ask(&op, "SELECT max(id) FROM saved_test.b_parent"), "4");
    unit_op_end(&op);
}

static void test_fits(void)
{
    struct op op;

    begin(&op);
    CU_ASSERT_STRING_EQUAL(ask(&op, "SELECT core.state_fits('t')"), "t");
    exec(&op, "INSERT INTO core.migration VALUES ('x', 'y', 'z')");
    CU_ASSERT_STRING_EQUAL(ask(&op, "SELECT core.state_fits('t')"), "f");
    exec(&op, "DELETE FROM core.migration WHERE folder = 'x' OR name = '0001_init'");
    CU_ASSERT_STRING_EQUAL(ask(&op, "SELECT core.state_fits('t')"), "f");
    unit_op_end(&op);
}

static void test_list(void)
{
    struct op op;

    begin(&op);
    exec(&op,
         "SELECT core.save_state('.hidden', 0, 0); SELECT core.save_state('it''s \"s\"', 1, 2)");
    CU_ASSERT_STRING_EQUAL(
        ask(&op, "SELECT string_agg(name, ',') FROM core.saved_states(NULL) WHERE blobs > 0"),
        "it's \"s\",t");
    CU_ASSERT_STRING_EQUAL(ask(&op, "SELECT blob_bytes FROM core.saved_states('t')"), "4");
    CU_ASSERT_STRING_EQUAL(ask(&op, "SELECT count(*) FROM core.saved_states('.hidden')"), "1");
    exec(&op, "SELECT core.drop_state('t')");
    CU_ASSERT_STRING_EQUAL(ask(&op, "SELECT count(*) FROM core.saved_states('t')"), "0");
    unit_op_end(&op);
}

CU_TestInfo core_saved_tests[] = {
    {"loaded as it was saved", test_load},
    {"of another version",     test_fits},
    {"in a list",              test_list},
    CU_TEST_INFO_NULL,
};
