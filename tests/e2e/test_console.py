"""The console as a browser without script sees it: signing in, pages on real data, forms, rights, hostile names."""

import json
import re
import urllib.parse
import urllib.request
import uuid

import pytest

from harness.azure import admin
from harness.clients import run
from harness.console import Browser
from harness.entra import Entra
from harness.hold import no_registry
from harness.keys import psql
from harness.manager import READER, Arm
from harness.server import HANG_S, program, wait_until
from harness.web import expect


@pytest.fixture(scope="module")
def first(sundog):
    return admin(sundog)


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


@pytest.fixture
def browser(sundog, first):
    browser = Browser(sundog)
    page = browser.sign_in(first["userName"], first["userPassword"])
    assert page.status == 200 and page.title == "Overview · Sundog", page.text
    return browser


# signing in


def test_who_is_not_signed_in_comes_back_to_what_was_asked(sundog, first):
    browser = Browser(sundog)
    page = browser.sign_in(first["userName"], first["userPassword"], "/console/activity?q=x")
    assert page.url.endswith("/console/activity?q=x") and page.title == "Activity · Sundog"
    assert first["userName"] in page.text


def test_a_wrong_password_is_told(sundog, first):
    browser = Browser(sundog)
    page = browser.sign_in(first["userName"], "wrong")
    assert page.status == 401 and "wrong" in page.text
    assert not any(cookie.name == "sundog-session" for cookie in browser.jar)


def test_the_root_leads_there(sundog):
    assert Browser(sundog).get("/").title.startswith("Sign in")


def test_signing_out_ends_the_session(sundog, browser):
    session = next(c.value for c in browser.jar if c.name == "sundog-session")
    page = browser.get("/console")
    gone = browser.submit(page, page.form("Sign out"))
    assert gone.title == "Signed out · Sundog"
    stolen = Browser(sundog).get("/console", headers={"Cookie": f"sundog-session={session}"})
    assert stolen.title.startswith("Sign in")


def test_a_session_ends_when_the_sessions_are_revoked(sundog):
    entra = Entra(sundog)
    user = entra.graph("POST", "/users", 201, {
        "displayName": "Ann", "userPrincipalName": "ann@sundog.localhost", "accountEnabled": True, "mailNickname": "ann",
        "passwordProfile": {"password": "Correct-horse-1"}})
    browser = Browser(sundog)
    page = browser.sign_in("ann@sundog.localhost", "Correct-horse-1")
    assert page.title == "Overview · Sundog" and "nothing that you may see" in page.text
    expect(entra.ask("POST", f"/users/{user['id']}/revokeSignInSessions"), 200, 204)
    assert browser.get("/console").title.startswith("Sign in")


def test_the_session_cookie_is_out_of_scripts_reach(sundog, first):
    browser = Browser(sundog)
    page = browser.get("/console")
    answer = browser.submit(page, page.form("Sign in"), follow=False, username=first["userName"], password=first["userPassword"])
    back = browser.get(answer.headers["Location"], follow=False)
    said = next(v for v in back.headers.get_all("Set-Cookie") if v.startswith("sundog-session="))
    assert "HttpOnly" in said and "SameSite=Lax" in said and re.match(r"sundog-session=[0-9a-f]{64};", said)


@pytest.mark.parametrize("path", ["/console/signed-in", "/console/signed-in?code=x&state=y", "/console/link/" + "0" * 64])
def test_ways_in_that_were_not_begun_here(sundog, path):
    page = Browser(sundog).get(path)
    assert page.status in (400, 404), page.text


def test_a_link_signs_in_once(sundog):
    entra = Entra(sundog)
    token = entra.token_for(f"{entra.base}/arm/")
    request = urllib.request.Request(f"{sundog.plain}/console/link", b"", method="POST", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=HANG_S) as answer:
        link = json.load(answer)["url"]
    assert Browser(sundog).get(link).title == "Overview · Sundog"
    assert Browser(sundog).get(link).status == 404


def test_the_command_prints_a_link(sundog):
    said = run(program(), "console", "--data", sundog.data).stdout
    link = urllib.parse.urlsplit(said.strip())
    assert link.scheme == "https" and link.port == sundog.port("https")
    assert Browser(sundog).get(link.path).title == "Overview · Sundog"


PUBLIC = {"/", "/console/assets/{file}", "/console/sign-in", "/console/signed-in", "/console/link", "/console/link/{code}"}


def test_every_page_and_form_wants_a_session(sundog):
    """By the program's own list of routes; those that are for everybody are listed above."""
    text = run(program(), "routes").stdout.split("## console\n")[1].split("\n## ")[0]
    routes = re.findall(r"^\| (GET|POST) \| `([^`]+)` \|[^|]*\| (\w+)(, public)?", text, re.MULTILINE)
    assert len(routes) > 10
    stranger = Browser(sundog)
    for method, pattern, lane, public in routes:
        assert bool(public) == (pattern in PUBLIC), pattern
        if public:
            continue
        path = re.sub(r"{\w+\+?}", "x", pattern)
        answer = stranger.get(path, b"" if method == "POST" else None, follow=False)
        if method == "GET" and lane == "call":
            assert answer.status == 303 and answer.headers["Location"].startswith("/console/sign-in"), pattern
        else:
            assert answer.status in (400, 401), pattern


# every page


def test_pages_say_who_may_frame_and_run_what(browser):
    page = browser.get("/console")
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert "no-store" in page.headers["Cache-Control"]


def test_assets_are_kept_for_ever(browser):
    page = browser.get("/console")
    links = re.findall(r"/console/assets/[^\"]+", page.body)
    assert len(links) == 2
    for link in links:
        with browser.follow.open(browser.base + link, timeout=HANG_S) as answer:
            assert "immutable" in answer.headers["Cache-Control"] and len(answer.read()) > 1000
    assert browser.get("/console/assets/style.css").status == 404


@pytest.mark.parametrize("path", ["/console", "/console/activity", "/console/groups"])
def test_a_form_of_another_site_does_nothing(browser, path):
    page = browser.get(path)
    form = page.form("Sign out")
    form.fields["proof"] = "0" * 64
    assert browser.submit(page, form).status == 403
    assert browser.get("/console").title == "Overview · Sundog"


def test_a_page_is_drawn_again_when_it_changes(browser, arm):
    shown = browser.live("/console/groups")
    assert "demo-live" not in next(shown)
    arm.group("demo-live")
    while "demo-live" not in next(shown):
        pass


def test_what_is_no_page_is_not_looked_at(browser):
    assert browser.get("/console/live?page=/subscriptions").status == 400


# resource groups


def test_a_group_its_page_and_its_end(browser, arm):
    arm.group("demo(1)")
    named = browser.get(browser.get("/console/groups").links["demo(1)"])
    assert named.title == "demo(1) · Sundog" and "az group delete -n 'demo(1)'" in named.text
    arm.group("demo-one")
    page = browser.get("/console/groups")
    group = browser.get(page.links["demo-one"])
    assert group.title == "demo-one · Sundog" and "It is empty." in group.text and "az group delete -n demo-one" in group.text
    gone = browser.submit(group, group.form("Delete the group"))
    assert gone.url.endswith("/console/groups") and "being deleted" in gone.text
    assert "being deleted" not in browser.get("/console/groups").text
    wait_until(lambda: "demo-one" not in browser.get("/console/groups").links, "the group is gone")
    assert browser.get(page.links["demo-one"]).status == 404
    assert "resourceGroups/delete" in wait_until(
        lambda: (p := browser.get("/console/activity?q=resourceGroups/delete").text) and "demo-one" in p and p, "the log has it")


def test_activity_is_paged_and_searched(arm, browser):
    """Older pages follow each other without a gap or a repeat, and what is searched for is found on all of them."""
    groups = [f"paged-{n:03}" for n in range(230)]
    for name in groups:
        arm.group(name)
    seen, page = [], wait_until(lambda: "paged-229" in (p := browser.get("/console/activity?q=paged-")).text and p, "all are written")
    while True:
        seen += re.findall(r"paged-\d{3}", page.text)
        if "Older" not in page.links:
            break
        page = browser.get(urllib.parse.urljoin(page.url, page.links["Older"]))
    assert seen == groups[::-1]
    assert "Newest" in page.links
    assert "paged-117" in browser.get("/console/activity?q=PAGED-117").text
    for odd in ("100%", "paged_1", "a\\\\b", '"caller"'):
        assert "Nothing matches" in browser.get("/console/activity?" + urllib.parse.urlencode({"q": odd})).text, odd


def test_a_search_of_the_activity_goes_on_where_it_ended(sundog, arm, browser):
    """However much there is: a page looks at so many events, says how far it came, and none is missed or shown twice."""
    made = expect(arm("PUT", f"/providers/Microsoft.Subscription/aliases/{uuid.uuid4()}", {"properties": {"displayName": "Busy"}}), 201)
    sub = made.json()["properties"]["subscriptionId"]
    path = f"/subscriptions/{sub}/resourceGroups"
    needles = [f"needle-{uuid.uuid4().hex[:8]}" for _ in range(2)]
    events = f"/subscriptions/{sub}/providers/Microsoft.Insights/eventtypes/management/values?$filter=eventTimestamp ge '2020-01-01'"
    more = """INSERT INTO api.activity (at, subscription, group_key, resource_key, event, body)
        SELECT made, subscription, 'hay', resource_key, id, replace(replace(replace(body::text, event, id), '{needle}', 'hay'),
               body->>'eventTimestamp', to_char(made AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))::json
        FROM (SELECT a.*, at + n * interval '1 us' AS made, gen_random_uuid()::text AS id
              FROM (SELECT at, subscription, resource_key, event, body FROM api.activity WHERE group_key = '{needle}') a,
                   generate_series(1, 2600) n) copies"""
    for needle in needles:
        arm.put(f"{path}/{needle}", {"location": "eastus"})
        wait_until(lambda needle=needle: arm.get(f"{events} and resourceGroupName eq '{needle}'")["value"], "it is written")
        psql(sundog, more.format(needle=needle))
    # by the API
    seen, pages, link = [], [], f"{events}&$search=NEEDLE-"
    while link:
        answer = expect(arm("GET", link, version="2015-04-01"), 200)
        seen += [event["resourceId"].split("/")[-1] for event in answer.json()["value"]]
        pages.append(answer.header("x-sundog-searched-to"))
        link = answer.json().get("nextLink")
    assert seen == needles[::-1] and len(pages) == 3 and pages[0] > pages[1] and not pages[2], (seen, pages)
    assert not expect(arm("GET", f"{events}&$search=write"), 200).header("x-sundog-searched-to")  # 200 of them are soon found
    # by the console
    seen, said, page = [], 0, browser.get("/console/activity?q=needle-")
    while True:
        seen += re.findall(r"needle-[0-9a-f]{8}", page.text)
        said += "Searched back to" in page.text
        if "Older" not in page.links:
            break
        page = browser.get(urllib.parse.urljoin(page.url, page.links["Older"]))
    assert seen == needles[::-1] and said == 2, (seen, said)
    # what all ids have in common is found in none, unless an id is asked for
    for search, found in ((sub, 0), ("/resourceGroups/", 1), (f"{path}/{needles[1]}", 1), ("%", 0), ("n_edle", 0), ("succeeded", 1),
                          (needles[1].upper(), 1), ("claims", 0), (f"{path}/{needles[0]}", 0)):
        one = arm.get(f"{events} and resourceGroupName eq '{needles[1]}'&$search={urllib.parse.quote(search, safe='')}")
        assert len(one["value"]) == found, (search, one)


# deployments


def test_a_deployment_and_what_runs_now(sundog, browser, arm):
    arm.group("deploys")
    base = f"{arm.sub}/resourceGroups/deploys"
    assert "No template was deployed here yet." in browser.get(f"/console{base}").text
    registry = {"type": "Microsoft.ContainerRegistry/registries", "apiVersion": "2023-07-01", "location": "eastus",
                "sku": {"name": "Basic"}}
    whole = {"$schema": "x", "contentVersion": "1.0.0.0", "parameters": {"word": {"type": "secureString"}, "n": {"type": "int"}},
             "outputs": {"said": {"type": "string", "value": "<b>hello</b>"}, "word": {"type": "secureString", "value": "[parameters('word')]"}},
             "resources": [{**registry, "name": "[format('consoledep{0}', copyIndex())]",
                            "copy": {"name": "many", "count": "[parameters('n')]", "mode": "serial"}}]}

    def deploy(name, n, **more):
        expect(arm("PUT", f"{base}/providers/Microsoft.Resources/deployments/{name}", {"properties": {
            "mode": "Incremental", "template": {**whole, **more}, "parameters": {"word": {"value": "hush-hush"}, "n": {"value": n}}}}), 201)
        return f"/console{base}/providers/Microsoft.Resources/deployments/{name}"

    good, bad = deploy("good", 1), deploy("bad", 0, resources=[{**registry, "name": "no"}])
    page = wait_until(lambda: (p := browser.get(good)) and "Succeeded" in p.text and "Outputs" in p.text and p, "it is deployed")
    assert "consoledep0" in page.links and "&lt;b&gt;hello" in page.body and "not shown" in page.text
    assert "hush-hush" not in page.body and "[parameters('n')]" in page.text and "az deployment group show -g deploys -n good" in page.text
    page = wait_until(lambda: (p := browser.get(bad)) and "Why it failed" in p.text and p, "it has failed")
    assert "InvalidRegistryName" in page.text and "Registry names may contain only" in page.text
    # one that runs is among what runs now, and stops when told
    with no_registry(sundog, "consoledep5"):
        long = deploy("long", 10)
        now = wait_until(lambda: (p := browser.get("/console/deployments")) and "Deploy a template" in p.text and p, "it runs")
        assert "Deploy a template" in browser.get(f"/console{base}").text
        assert {"long", "good", "bad"} <= set(now.links) and arm.admin["clientId"] not in now.text
        page = browser.get(long)
        assert page.has_form("Cancel") and not page.has_form("Forget it") and "InProgress" in page.text
        assert "being cancelled" in browser.submit(page, page.form("Cancel")).text
    page = wait_until(lambda: (p := browser.get(long)).has_form("Forget it") and p, "it is cancelled")
    assert "Canceled" in page.text
    assert "is forgotten" in browser.submit(page, page.form("Forget it")).text
    assert browser.get(long).status == 404
    assert "No long-running operation is under way." in browser.get("/console/deployments").text
    assert "good" in browser.get(f"/console{base}").links
    assert set(browser.get("/console/deployments?q=failed").links) & {"good", "bad"} == {"bad"}


def test_who_may_only_read_sees_no_buttons_of_deployments(sundog, arm):
    entra = Entra(sundog)
    user = entra.graph("POST", "/users", 201, {
        "displayName": "Dora", "userPrincipalName": "dora@sundog.localhost", "accountEnabled": True, "mailNickname": "dora",
        "passwordProfile": {"password": "Correct-horse-1"}})
    arm.group("readonly-deploys")
    base = f"{arm.sub}/resourceGroups/readonly-deploys"
    path = f"{base}/providers/Microsoft.Resources/deployments/one"
    expect(arm("PUT", path, {"properties": {"mode": "Incremental", "template": {"$schema": "x", "contentVersion": "1", "resources": []}}}), 201)
    wait_until(lambda: arm.get(path)["properties"]["provisioningState"] == "Succeeded", "it is deployed")
    arm.put(f"{base}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}", {"properties": {
        "principalId": user["id"], "roleDefinitionId": f"{arm.sub}/providers/Microsoft.Authorization/roleDefinitions/{READER}"}})
    browser = Browser(sundog)
    browser.sign_in("dora@sundog.localhost", "Correct-horse-1")
    assert "one" in browser.get("/console/deployments").links
    page = browser.get(f"/console{path}")
    assert "Succeeded" in page.text and not page.has_form("Forget it") and "Template" not in page.text
    form = browser.get("/console").form("Sign out")
    form.action = f"/console{path}/delete"
    assert browser.submit(page, form).status == 403
