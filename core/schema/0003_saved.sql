-- States of all of this database, saved and loaded again (core/saved.h): each is a schema
-- "saved:NAME" with a copy of every table that has rows, called "schema.table".

-- What belongs to a state: every table of ours. What was migrated stands for itself.
CREATE FUNCTION core.state_tables() RETURNS TABLE (id oid, space name, rel name)
LANGUAGE sql STABLE AS $$
    SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'saved:%' AND n.nspname NOT LIKE 'pg\_%'
       AND n.nspname NOT IN ('information_schema', 'public')
       AND NOT (n.nspname = 'core' AND c.relname = 'migration')
     ORDER BY 2, 3
$$;

-- In a transaction that reads one moment (REPEATABLE READ).
CREATE FUNCTION core.save_state(wanted text, blobs bigint, blob_bytes bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    place text := 'saved:' || wanted;
    t record;
    filled boolean;
BEGIN
    EXECUTE format('CREATE SCHEMA %I', place);
    EXECUTE format('CREATE TABLE %I.info AS SELECT now() AS created, $1 AS blobs, $2 AS blob_bytes', place)
      USING blobs, blob_bytes;
    EXECUTE format('CREATE TABLE %I.migration AS SELECT folder, name, sha256 FROM core.migration', place);
    FOR t IN SELECT * FROM core.state_tables() LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I)', t.space, t.rel) INTO filled;
        IF filled THEN
            EXECUTE format('CREATE TABLE %I.%I AS TABLE %I.%I', place, t.space || '.' || t.rel, t.space, t.rel);
        END IF;
    END LOOP;
END $$;

-- Was it saved by a program whose tables are today's?
CREATE FUNCTION core.state_fits(wanted text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
DECLARE
    differs boolean;
BEGIN
    EXECUTE format('SELECT EXISTS ((TABLE %1$I.migration EXCEPT SELECT folder, name, sha256 FROM core.migration)'
                   ' UNION ALL (SELECT folder, name, sha256 FROM core.migration EXCEPT TABLE %1$I.migration))',
                   'saved:' || wanted) INTO differs;
    RETURN NOT differs;
END $$;

-- Everything becomes what it was. Identities are not counted back: what was numbered since, a token may still name.
CREATE FUNCTION core.load_state(wanted text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    place text := 'saved:' || wanted;
    t record;
    columns text;
    every text;
    waiting oid[];
    again boolean := true;
BEGIN
    SELECT string_agg(format('%I.%I', s.space, s.rel), ', ') INTO every FROM core.state_tables() s;
    EXECUTE 'TRUNCATE ' || every;
    SELECT coalesce(array_agg(s.id), '{}') INTO waiting FROM core.state_tables() s
     WHERE to_regclass(format('%I.%I', place, s.space || '.' || s.rel)) IS NOT NULL;
    WHILE again LOOP -- what others refer to comes first
        again := false;
        FOR t IN SELECT s.* FROM core.state_tables() s WHERE s.id = ANY (waiting)
                  AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.contype = 'f' AND k.conrelid = s.id
                                  AND k.confrelid <> s.id AND k.confrelid = ANY (waiting)) LOOP
            SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO columns FROM pg_attribute a
             WHERE a.attrelid = t.id AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '';
            EXECUTE format('ALTER TABLE %I.%I DISABLE TRIGGER USER', t.space, t.rel);
            EXECUTE format('INSERT INTO %I.%I (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %I.%I',
                           t.space, t.rel, columns, columns, place, t.space || '.' || t.rel);
            EXECUTE format('ALTER TABLE %I.%I ENABLE TRIGGER USER', t.space, t.rel);
            waiting := array_remove(waiting, t.id);
            again := true;
        END LOOP;
    END LOOP;
    IF cardinality(waiting) > 0 THEN
        RAISE 'tables refer to each other in a circle: %', waiting::regclass[];
    END IF;
END $$;

-- Those of people (no dot at the begin), or one.
CREATE FUNCTION core.saved_states(wanted text)
RETURNS TABLE (name text, created timestamptz, blobs bigint, blob_bytes bigint, table_bytes bigint)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    n record;
BEGIN
    FOR n IN SELECT nspname, oid FROM pg_namespace WHERE nspname LIKE 'saved:%'
              AND CASE WHEN wanted IS NULL THEN nspname NOT LIKE 'saved:.%' ELSE nspname = 'saved:' || wanted END
              ORDER BY nspname LOOP
        name := substr(n.nspname, 7);
        EXECUTE format('SELECT created, blobs, blob_bytes FROM %I.info', n.nspname) INTO created, blobs, blob_bytes;
        SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) INTO table_bytes FROM pg_class c
         WHERE c.relnamespace = n.oid AND c.relkind = 'r';
        RETURN NEXT;
    END LOOP;
END $$;

CREATE FUNCTION core.drop_state(wanted text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('DROP SCHEMA %I CASCADE', 'saved:' || wanted);
END $$;
