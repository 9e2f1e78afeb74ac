"""What would be over in a moment stays under way until a test lets it go: a row that is held back."""

import contextlib
import subprocess

from harness.keys import psql_command


@contextlib.contextmanager
def held(server, sql):
    """A transaction that has done this and stays open, and then was nothing: whoever writes the same waits as long."""
    with subprocess.Popen(psql_command(server), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/") as session:
        session.stdin.write(f"BEGIN; {sql}; SELECT 'held';\n")
        session.stdin.flush()
        assert session.stdout.readline() == "held\n"
        yield


def no_registry(server, name):
    """held: meanwhile no registry of this name is made, however long that is."""
    return held(server, f"INSERT INTO registry.registry (name) VALUES ('{name}')")


class Held:
    """Where no transaction can stay open: rows go, or the database is one that several servers share. While it lasts no
    registry of this name is made ("INSERT") or deleted ("DELETE"): who tries waits, or with refuse is told to try again
    later and holds nothing meanwhile. query: runs SQL in the server's database."""

    def __init__(self, query, event, name, refuse=False):
        self.query = query
        row = {"INSERT": "new", "DELETE": "old"}[event]
        rest = ("IF EXISTS (SELECT FROM registry.held) THEN RAISE EXCEPTION 'held by a test' USING errcode = '40001'; END IF;"
                if refuse else "WHILE EXISTS (SELECT FROM registry.held) LOOP PERFORM pg_sleep(0.02); END LOOP;")
        query("CREATE TABLE registry.held AS SELECT 1;"
              f" CREATE FUNCTION registry.hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {rest} RETURN {row}; END $$;"
              f" CREATE TRIGGER hold BEFORE {event} ON registry.registry FOR EACH ROW WHEN ({row}.name = '{name}')"
              " EXECUTE FUNCTION registry.hold()")

    def let_go(self):
        self.query("DELETE FROM registry.held")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(Exception):  # the server's end may have taken it along
            self.let_go()
            self.query("DROP TRIGGER hold ON registry.registry; DROP FUNCTION registry.hold(); DROP TABLE registry.held")
