"""The console's forms that make something: what they amount to, what they make, who may."""

import html
import re
import secrets
import urllib.parse
import uuid

import pytest

from harness import web
from harness.azure import admin
from harness.console import Browser
from harness.entra import Entra
from harness.manager import READER, Arm

HOSTILE = "<script>alert('x')</script>"
ACR_PULL = "7f951dda-4ed3-4680-a7ca-43fe172d538d"
PASSWORD = "Correct-horse-1"


def fresh(begin="n"):
    return begin + secrets.token_hex(5)


def signed_in(sundog, upn, password=PASSWORD):
    browser = Browser(sundog)
    assert browser.sign_in(upn, password).status == 200
    return browser


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


@pytest.fixture(scope="module")
def group(arm):
    return arm.group("made(1)")["id"]


@pytest.fixture(scope="module")
def owner(sundog):
    return signed_in(sundog, admin(sundog)["userName"], admin(sundog)["userPassword"])


@pytest.fixture(scope="module")
def reader(sundog, arm, group):
    who, upn = user(Entra(sundog))
    arm.put(f"{group}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}", {"properties": {
        "roleDefinitionId": f"{arm.sub}/providers/Microsoft.Authorization/roleDefinitions/{READER}", "principalId": who,
        "principalType": "User"}})
    return signed_in(sundog, upn)


def user(entra, name=None):
    upn = f"{fresh('u')}@sundog.localhost"
    made = entra.graph("POST", "/users", 201, {
        "displayName": name or upn, "userPrincipalName": upn, "accountEnabled": True, "mailNickname": "x",
        "passwordProfile": {"password": PASSWORD}})
    return made["id"], upn


def commands(page):
    return [html.unescape(code) for code in re.findall(r"<pre tabindex=\"0\"><code>(.*?)</code></pre>", page.body, re.S)]


def show(browser, path, **values):
    page = browser.get(path)
    return browser.submit(page, page.form("Create"), press=0, **values)


def create(browser, path, **values):
    page = browser.get(path)
    return browser.submit(page, page.form("Create"), press=1, **values)


def registry_of(arm, group):
    name = fresh("r")
    arm.put(f"{group}/providers/Microsoft.ContainerRegistry/registries/{name}", {"location": "eastus", "sku": {"name": "Basic"}})
    return name, f"{group}/providers/Microsoft.ContainerRegistry/registries/{name}"


def test_a_resource_group(arm, owner):
    name = fresh("g(") + ")"
    link = owner.get("/console/groups").links["Create a resource group"]
    shown = show(owner, link, name=name, location="westus", subscription=arm.sub.split("/")[-1])
    assert commands(shown) == [f"az group create -n '{name}' -l westus --subscription {arm.sub.split('/')[-1]}"]
    assert arm("GET", f"{arm.sub}/resourceGroups/{name}").status == 404  # showing makes nothing
    made = owner.submit(shown, shown.form("Create"), press=1)
    assert made.title == f"{name} · Sundog" and "is there" in made.text
    assert web.expect(arm("GET", f"{arm.sub}/resourceGroups/{name}"), 200).json()["location"] == "westus"
    taken = create(owner, link, name=name, subscription=arm.sub.split("/")[-1])
    assert taken.status == 409 and "already" in taken.text and taken.form("Create").fields["name"] == name


def test_a_registry(arm, group, owner):
    name = fresh("r")
    link = owner.get("/console/registries").links["Create a registry"]
    made = create(owner, link, group=group, name=name, sku="Standard", admin="true")
    assert made.title == f"{name} · Sundog" and "SKU Standard Admin user on" in made.text, made.text
    said = commands(show(owner, link, group=group, name=fresh("r"), sku="Premium"))
    assert re.fullmatch(r"az acr create -g 'made\(1\)' -n r\w+ --sku Premium --admin-enabled false", said[0]), said
    assert create(owner, link, group=group, name=name).status == 409
    assert f"az acr delete -n {name} -g 'made(1)' --yes" in commands(owner.get(made.url))


@pytest.mark.parametrize("kind", ["registries", "clusters", "instances"])
def test_a_group_must_be_one(arm, group, owner, kind):
    _, registry = registry_of(arm, group)
    for other in ("", "x", arm.sub, f"{arm.sub}/resourcegroups", f"{group}/resources", registry):
        fields = {"show": "1", "group": other, "name": fresh("x"), "count": "1", "size": "s", "image": "sundog/x:1"}
        wrong = owner.get(f"/console/{kind}/new?{urllib.parse.urlencode(fields)}")
        assert wrong.status == 400 and "choose a resource group" in wrong.text, (other, wrong.text)


def test_a_webhook(arm, group, owner):
    name, path = registry_of(arm, group)
    link = owner.get(f"/console{path}").links["Create a webhook"]
    hook = fresh("h")
    values = {"name": hook, "uri": "http://127.0.0.1:9/hook?a=b", "actions": "push,  delete", "scope": "app:*"}
    assert commands(show(owner, link, **values)) == [
        f"az acr webhook create -r {name} -n {hook} --uri 'http://127.0.0.1:9/hook?a=b' --actions push delete --scope 'app:*'"]
    made = create(owner, link, **values)
    assert "Events push, delete Images app:*" in made.text and made.url.endswith(f"/webhooks/{hook}"), made.text
    shown = web.expect(arm("GET", f"{path}/webhooks/{hook}"), 200).json()["properties"]
    assert shown["actions"] == ["push", "delete"] and shown["status"] == "enabled" and shown["scope"] == "app:*"
    wrong = create(owner, link, **{**values, "name": fresh("h"), "actions": HOSTILE})
    assert wrong.status == 400 and "is not an action" in wrong.text and "<script>alert" not in wrong.body


def test_a_token_whose_password_is_shown_once(sundog, arm, group, owner):
    name, path = registry_of(arm, group)
    link = owner.get(f"/console{path}").links["Create a token"]
    token = fresh("t")
    assert commands(show(owner, link, name=token)) == [f"az acr token create -r {name} -n {token} --scope-map _repositories_pull"]
    made = create(owner, link, name=token, map="_repositories_push")
    assert made.status == 200 and made.headers["Cache-Control"] == "no-store" and "data-live" not in made.body
    password = commands(made)[0]
    registry = web.by_name(sundog, name=f"{name}.azurecr.localhost")
    registry.credentials = (token, password)
    registry.repository("app").image("v1")
    page = owner.get(f"/console{path}")
    assert password not in page.body and f"{token} Enabled _repositories_push password1" in page.text, page.text


@pytest.mark.parametrize("by", ["upn", "object id", "name", "app id"])
def test_a_role_is_given(sundog, arm, group, owner, by):
    entra, name = Entra(sundog), fresh("Ann O'Hara ")
    if by == "app id":
        app = entra.graph("POST", "/applications", 201, {"displayName": name})["appId"]
        who, kind, given = entra.graph("POST", "/servicePrincipals", 201, {"appId": app})["id"], "ServicePrincipal", app
    else:
        who, upn = user(entra, name)
        kind, given = "User", {"upn": upn, "object id": who, "name": name}[by]
    link = owner.get("/console/access").links["Give a role"]
    page = owner.get(link)
    assert page.form("Create").fields["scope"] == "/" and ">AcrPull</option>" in page.body
    values = {"principal": given, "role": READER, "scope": group}
    assert commands(show(owner, link, **values)) == [
        f"az role assignment create --assignee-object-id {who} --assignee-principal-type {kind} --role {READER} --scope '{group}'"]
    made = create(owner, link, **values)
    assert made.status == 200 and "The role is given" in made.text, made.text
    found = web.expect(arm("GET", f"{group}/providers/Microsoft.Authorization/roleAssignments?$filter=principalId%20eq%20'{who}'"),
                       200).json()["value"]
    assert [(a["properties"]["scope"], a["properties"]["roleDefinitionId"].split("/")[-1]) for a in found] == [(group, READER)]
    again = create(owner, link, **values)
    assert again.status == 409 and "already exists" in again.text, again.text


def give(arm, scope, who, role):
    arm.put(f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}", {"properties": {
        "roleDefinitionId": f"/providers/Microsoft.Authorization/roleDefinitions/{role}", "principalId": who, "principalType": "User"}})


def test_all_roles_are_there_to_be_given(sundog, arm, group):
    _, registry = registry_of(arm, group)
    second = web.expect(arm("PUT", f"/providers/Microsoft.Subscription/aliases/{fresh('s')}", {"properties": {"displayName": "2"}}), 201)
    second = f"/subscriptions/{second.json()['properties']['subscriptionId']}"
    role, name = str(uuid.uuid4()), fresh("Looker ")
    arm.put(f"{second}/providers/Microsoft.Authorization/roleDefinitions/{role}", {"properties": {
        "roleName": name, "type": "CustomRole", "assignableScopes": [second],
        "permissions": [{"actions": ["Microsoft.Authorization/roleAssignments/read"]}]}})
    (puller, puller_upn), (looker, looker_upn) = user(Entra(sundog)), user(Entra(sundog))
    give(arm, registry, puller, ACR_PULL)  # so the subscription is shown, and its roles cannot be read
    give(arm, second, looker, role)
    for upn in (puller_upn, looker_upn):
        page = signed_in(sundog, upn).get("/console/access/new")
        assert page.status == 200 and f">{name}</option>" in page.body and ">AcrPull</option>" in page.body, page.text
    found = signed_in(sundog, looker_upn).get(f"/console/access?q={urllib.parse.quote(name)}")
    assert found.status == 200 and found.text.count(f"{name} {second}") == 2, found.text  # one's own, and what was searched for


def test_to_whom_must_be_one(sundog, group, owner):
    entra, name = Entra(sundog), fresh("Twin ")
    user(entra, name)
    user(entra, name)
    for given, said in ((name, "several are named"), (fresh("nobody"), "there is no user, group or application"), ("", "is missing"),
                        (HOSTILE, "there is no user"), (str(uuid.uuid4()), "there is no user")):
        wrong = create(owner, "/console/access/new", principal=given, role=READER, scope=group)
        assert wrong.status == 400 and said in wrong.text and "<script>alert" not in wrong.body, wrong.text
    wrong = create(owner, "/console/access/new", principal=name, role=READER, scope="everywhere")
    assert wrong.status == 400 and "begins with" in wrong.text


def test_who_may_only_read_sees_no_forms_and_is_refused(arm, group, owner, reader):
    _, path = registry_of(arm, group)
    for page, link in (("/console/groups", "Create a resource group"), ("/console/registries", "Create a registry"),
                       ("/console/clusters", "Create a cluster"), (f"/console{path}", "Create a webhook"),
                       (f"/console{path}", "Create a token"), ("/console/access", "Give a role")):
        assert link in owner.get(page).links, link
        assert link not in reader.get(page).links, link
    for form in ("/console/groups/new", "/console/registries/new", "/console/clusters/new"):
        assert not reader.get(form).has_form("Create"), form
    for form, values in ((f"/console{path}/webhooks/new", {"name": fresh("h"), "uri": "http://localhost:9", "actions": "push"}),
                         (f"/console{path}/tokens/new", {"name": fresh("t")})):
        assert create(reader, form, **values).status == 403, form


@pytest.mark.parametrize("path", ["/console/groups/new", "/console/registries/new", "/console/clusters/new", "/console/access/new"])
def test_a_form_of_another_site_makes_nothing(owner, path):
    assert owner.get(path, b"name=x&group=x&proof=0").status == 403


def test_long_lists_are_paged_and_searched(arm, owner, reader, group):
    """More registries than a page has: each is on one page, wherever one begins."""
    folder, word = arm.group(fresh("many"))["id"], fresh("x")
    names = {f"{word}{n:03}" for n in range(205)}
    for name in names:
        arm.put(f"{folder}/providers/Microsoft.ContainerRegistry/registries/{name}", {"location": "eastus", "sku": {"name": "Basic"}})

    def seen(browser, path):
        pages = []
        while path:
            page = browser.get(path)
            assert page.status == 200 and len(page.body) < 200_000
            pages.append([text for text in page.links if text.startswith(word)])
            if len(pages) > 1:
                assert "First" in page.links
            path = page.links.get("Next") and page.url.split("?")[0] + page.links["Next"]
        return pages
    for path in (f"/console/registries?q={word.upper()}", f"/console{folder}", f"/console/registries?q={folder.split('/')[-1].upper()}"):
        pages = seen(owner, path)
        assert [len(page) for page in pages] == [100, 100, 5], path
        assert {name for page in pages for name in page} == names, path
    assert seen(owner, f"/console/registries?q={word}20")[0] == [f"{word}20{n}" for n in range(5)]
    assert names <= {name for page in seen(owner, "/console/registries") for name in page}
    nothing = owner.get("/console/registries?q=it's-none")
    assert nothing.status == 200 and nothing.has_form("Search") and "keeps images" not in nothing.text
    assert not any(seen(reader, "/console/registries"))  # who may not read them
    tile = re.search(r"<b>([\d,]+)</b><a href=\"/console/registries\"", owner.get("/console").body)
    assert int(tile[1].replace(",", "")) >= 205
    tile = re.search(r"<b>([\d,]+)</b><a href=\"/console/registries\"", reader.get("/console").body)
    assert int(tile[1].replace(",", "")) < 205  # those of his group
