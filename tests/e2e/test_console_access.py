"""The console's pages of rights and the directory: one's own roles, everybody's for who may read them, removing one."""

import secrets
import uuid

import pytest

from harness.azure import admin
from harness.console import Browser
from harness.entra import Entra
from harness.manager import CONTRIBUTOR, READER, Arm

HOSTILE = "<script>alert('x')</script>"
PASSWORD = "Correct-horse-1"


class Directory(Arm):
    def __init__(self, server):
        super().__init__(server)
        self.graph = Entra(server).graph
        self.scope = self.group("rights")["id"]

    def user(self, name=None):
        name = name or "ann" + secrets.token_hex(4)
        upn = f"u{secrets.token_hex(4)}@sundog.localhost"
        made = self.graph("POST", "/users", 201, {
            "displayName": name, "userPrincipalName": upn, "accountEnabled": True, "mailNickname": "x",
            "passwordProfile": {"password": PASSWORD}})
        return made["id"], upn

    def team(self, name, *members):
        made = self.graph("POST", "/groups", 201, {
            "displayName": name, "mailNickname": "x", "mailEnabled": False, "securityEnabled": True})
        for member in members:
            self.graph("POST", f"/groups/{made['id']}/members/$ref", 204, {
                "@odata.id": f"https://x/graph/v1.0/directoryObjects/{member}"})
        return made["id"]

    def give(self, principal, role, scope=None, kind="User"):
        path = f"{scope or self.scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        self.put(path, {"properties": {"roleDefinitionId": f"{self.sub}/providers/Microsoft.Authorization/roleDefinitions/{role}",
                                       "principalId": principal, "principalType": kind}})
        return path


@pytest.fixture(scope="module")
def directory(sundog):
    return Directory(sundog)


def pages_of(browser, path, page=None):
    """All pages of a list, from its first one on: what is on which is by random ids."""
    page = page or browser.get(path)
    while True:
        yield page
        if "Next" not in page.links:
            return
        page = browser.get(path + page.links["Next"])


def signed_in(sundog, upn, password=PASSWORD):
    browser = Browser(sundog)
    assert browser.sign_in(upn, password).status == 200
    return browser


@pytest.fixture
def browser(sundog):
    return signed_in(sundog, admin(sundog)["userName"], admin(sundog)["userPassword"])


def test_who_one_is_and_what_one_may(sundog, directory, browser):
    first = admin(sundog)
    page = browser.get("/console/access")
    assert f"You are {first['userName']} Kind User" in page.text and "Owner / (everything) yourself" in page.text, page.text
    own = page.text.split("Object id ")[1].split()[0]
    assert f"--assignee {own}" in page.text


def test_all_assignments_are_shown_searched_and_removed(directory, browser):
    who, _ = directory.user(f"bob{HOSTILE}")
    path = directory.give(who, CONTRIBUTOR)
    page = browser.get("/console/access")
    assert "<script>alert" not in page.body
    line = f"bob{HOSTILE} User Contributor {directory.scope} Remove"
    assert line in page.text, page.text
    for q in ("bob<scr", "contributor"):
        assert line in browser.submit(page, page.form("Search"), q=q).text, q
    page = browser.submit(page, page.form("Search"), q="bob<scr")
    assert page.text.count("Contributor") == 2  # the row, and what its removal says
    gone = browser.submit(page, page.form("Remove"))
    assert "was removed" in gone.text and f"bob{HOSTILE}" not in gone.text
    assert directory("GET", path).status == 404
    assert "Nothing matches" in browser.get("/console/access?q=no-such-thing").text


def test_many_assignments_are_paged(sundog, directory, browser):
    """What the first principal sees of everything, and a reader of two groups of them, once each."""
    other = directory.group("more-rights")["id"]
    who, upn = directory.user()
    made = {f"many-{n:03}" for n in range(107)}
    for name in sorted(made):
        directory.give(directory.team(name), READER, other if name > "many-050" else None, kind="Group")
    for scope in (directory.scope, other):
        directory.give(who, CONTRIBUTOR, scope)
    for viewer in (browser, signed_in(sundog, upn)):
        for q, limit in (("", 2), ("reader", 2)):
            page, seen, pages = viewer.get(f"/console/access?q={q}"), [], 1
            while True:
                seen += [name for name in made for _ in range(page.text.count(f"{name} Group Reader"))]
                if "Next" not in page.links:
                    break
                page, pages = viewer.get("/console/access" + page.links["Next"]), pages + 1
            assert sorted(seen) == sorted(made) and pages >= limit and "First" in page.links, (q, len(seen), pages)
        assert viewer.get("/console/access?q=many-00").text.count(" Group Reader ") == 10


def test_roles_through_a_group(sundog, directory):
    who, upn = directory.user()
    team = directory.team("the-team", who)
    directory.give(team, READER, kind="Group")
    browser = signed_in(sundog, upn)
    page = browser.get("/console/access")
    assert f"Reader {directory.scope} the-team" in page.text, page.text
    assert "Role assignments" in page.text and "the-team Group Reader" in page.text


def test_who_may_only_read_removes_nothing(sundog, directory):
    who, upn = directory.user()
    path = directory.give(who, READER, directory.sub)
    browser = signed_in(sundog, upn)
    page = browser.get("/console/access")
    assert f"Reader {directory.sub} yourself" in page.text and not page.has_form("Remove")
    proof = page.form("Sign out").fields["proof"]
    assert browser.get(f"/console/access/delete?id={path}", f"proof={proof}".encode()).status == 403
    assert directory("GET", path).status == 200


def test_who_may_read_none_is_told(sundog, directory):
    _, upn = directory.user()
    page = signed_in(sundog, upn).get("/console/access")
    assert page.status == 200 and "You may not read role assignments" in page.text and "Search" not in page.text


def test_removing_takes_an_assignment_and_this_sessions_form(directory, browser):
    who, _ = directory.user()
    path = directory.give(who, READER)
    proof = browser.get("/console/access").form("Sign out").fields["proof"]
    assert browser.get(f"/console/access/delete?id={path}", b"proof=0").status == 403
    assert browser.get(f"/console/access/delete?id={directory.scope}", f"proof={proof}".encode()).status == 400
    assert directory("GET", path).status == 200 and directory("GET", directory.scope).status == 200


def test_the_directory(sundog, directory, browser):
    names = [f"many{n:03}{HOSTILE}" for n in range(103)]
    for name in names:
        directory.user(name)
    directory.team("shown-team")
    page = browser.get("/console/access/users")
    assert "<script>alert" not in page.body and "az ad user list" in page.text
    pages = list(pages_of(browser, "/console/access/users", browser.submit(page, page.form("Search"), q="many")))
    assert {name for name in names for page in pages if name in page.text} == set(names)
    assert len(pages) > 1 and "First" in pages[-1].links
    groups = [page.text.count("shown-team") for page in pages_of(browser, "/console/access/groups")]
    assert sum(groups) == 1, groups
    assert any(admin(sundog)["clientId"] in page.text for page in pages_of(browser, "/console/access/applications"))
    assert "Enabled" in browser.get("/console/access/users").text
    assert browser.get("/console/access/robots").status == 404
