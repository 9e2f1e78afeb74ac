"""`sundog new` and `sundog delete`: jobs, many at once on one Sundog, that never meet."""

import concurrent.futures
import json
import os
import secrets
import shutil
import subprocess
import threading

import pytest

from harness import web
from harness.clients import run
from harness.clusters import cluster_body
from harness.containers import Groups, push_shell, wait_nothing_left
from harness.entra import Entra
from harness.keys import psql
from harness.leftovers import nothing_left
from harness.machine import need
from harness.manager import OWNER, READER, Arm, refused
from harness.server import Sundog, fresh_folder, program, run_tool, wait_until
from harness.web import expect

JOBS = "/providers/Sundog.Jobs/jobs"
MANY = 100
AT_ONCE = 12  # processes and connections of the test at a time; the jobs live all at once


def new(server, *words):
    """The variables that `sundog new` prints."""
    done = run_tool("new", *words, "--data", server.data, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def delete(server, name):
    done = run_tool("delete", name, "--data", server.data)
    assert done.returncode == 0, done.stderr


class Job(Groups):
    """A job as its own clients see it."""

    def __init__(self, server, variables):
        super().__init__(server, "app", client_id=variables["AZURE_CLIENT_ID"], secret=variables["AZURE_CLIENT_SECRET"])
        self.variables, self.name = variables, variables["SUNDOG_JOB"]
        self.sub = f"/subscriptions/{variables['AZURE_SUBSCRIPTION_ID']}"
        self.folder = f"{self.sub}/resourceGroups/app/providers/Microsoft.ContainerInstance/containerGroups"
        self.login = variables["SUNDOG_REGISTRY_USERNAME"], variables["SUNDOG_REGISTRY_PASSWORD"]
        self.registry_name = variables["SUNDOG_REGISTRY"].rsplit("/", 1)[1]
        self.image = f"{self.registry_name}.azurecr.io/busybox:1"

    def reach(self, other=None, login=None):
        """A registry by path: its own, or another job's."""
        name = (other or self).registry_name
        return web.Registry(self.server.plain, f"{name}/", login or self.login, web.Http1(), name)

    def sees(self):
        """Subscriptions, groups, registries, container groups."""
        listed = lambda path, **more: sorted(one["id"] for one in self.get(path, **more)["value"])
        return (listed("/subscriptions"), listed(f"{self.sub}/resourceGroups"),
                listed(f"{self.sub}/providers/Microsoft.ContainerRegistry/registries", version="2023-07-01"),
                listed(f"{self.sub}/providers/Microsoft.ContainerInstance/containerGroups"))


def counts(server):
    """How much there is that jobs have: in the directory, in the resource manager, in the registries."""
    entra, arm = Entra(server), Arm(server)
    catalog = web.by_path(server)
    assignments, _ = arm.all("/providers/Microsoft.Authorization/roleAssignments?api-version=2022-04-01")
    return {"applications": len(entra.graph("GET", "/applications?$top=999")["value"]),
            "principals": len(entra.graph("GET", "/servicePrincipals?$top=999")["value"]),
            "assignments": len(assignments),
            "subscriptions": len(arm.get("/subscriptions")["value"]), "jobs": len(arm.all(JOBS)[0]),
            "registries": len({name.split("/")[0] for name in expect(catalog.get("/v2/_catalog?n=10000"), 200).json()["repositories"]}),
            "folders": len(os.listdir(f"{server.data}/jobs")) if os.path.isdir(f"{server.data}/jobs") else 0}


def in_parallel(work, *lists):
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, *lists))


@pytest.fixture(scope="module")
def arm(sundog):
    return Arm(sundog)


def test_a_job_is_whole(sundog):
    """az, by what the command prints and nothing else, works in the job's own subscription and registry."""
    need("az")
    name = "whole-" + secrets.token_hex(3)
    home = fresh_folder("h")
    lines = run(program(), "new", name, "--data", sundog.data).stdout
    with open(f"{home}/lines", "w") as file:
        file.write(lines)
    try:
        said = run("env", "-i", "PATH=" + os.environ["PATH"], f"HOME={home}", "bash", "-euc", f"""
            . {home}/lines
            [ "$SUNDOG_JOB" = {name} ]
            az login --service-principal -u $AZURE_CLIENT_ID -p $AZURE_CLIENT_SECRET --tenant $AZURE_TENANT_ID -o none
            az account list --query '[].id' -o tsv
            az group create -n app -l eastus -o none
            az group list --query '[].name' -o tsv
            az acr list --query '[].loginServer' -o tsv
            case $DOCKER_CONFIG$AZURE_CONFIG_DIR$KUBECONFIG in *client*) exit 1;; esac
            echo $AZURE_SUBSCRIPTION_ID $SUNDOG_LOGIN_SERVER""").stdout.split()
        assert said[0] == said[-2] and sorted(said[1:3]) == ["app", "job"] and said[3] == said[-1], said
    finally:
        delete(sundog, name)
    assert not os.path.exists(f"{sundog.data}/jobs/{name}")


@pytest.mark.parametrize("words", [("A_b",), ("-a",), ("a" * 41,), ("a", "b"), ("a", "--for", "2y"), ("a", "--list"), ("a", "--at", "a b"),
                                   ("a", "--files", "relative"), ("a", "--files", "/x", "--format", "json")])
def test_what_is_refused(sundog, arm, words):
    before = len(arm.all(JOBS)[0])
    done = run_tool("new", *words, "--data", sundog.data)
    assert done.returncode != 0 and done.stderr.startswith("sundog: "), done
    assert len(arm.all(JOBS)[0]) == before


@pytest.mark.parametrize("stands", ["where jobs are", "in its folder", None])
def test_a_job_whose_secret_nobody_saw_is_not_left(sundog, arm, stands):
    """Its lines cannot be written (something stands there) or printed: it is not made, or taken back."""
    name, data = "unseen-" + secrets.token_hex(3), fresh_folder("u")
    for file in ("endpoints.json", "admin.json"):
        shutil.copy(f"{sundog.data}/{file}", data)
    if stands:
        os.makedirs(f"{data}/jobs/{name}" if stands == "in its folder" else data, exist_ok=True)
        with open(f"{data}/jobs/{name}/docker" if stands == "in its folder" else f"{data}/jobs", "w"):
            pass
    with open(os.devnull if stands else "/dev/full", "w") as printed:
        done = subprocess.run([program(), "new", name, "--data", data], stdout=printed, stderr=subprocess.PIPE, text=True)
    assert done.returncode != 0 and ("cannot" in done.stderr), done
    wait_until(lambda: arm("GET", f"{JOBS}/{name}").status == 404, "no job is left")
    if stands != "where jobs are":
        assert os.listdir(f"{data}/jobs") == []


def test_names_are_unique_and_listed(sundog, arm):
    name = "one-" + secrets.token_hex(3)
    first = new(sundog, name, "--for", "2h")
    again = run_tool("new", name, "--data", sundog.data)
    assert again.returncode != 0 and name in again.stderr
    listed = run_tool("new", "--list", "--data", sundog.data).stdout
    assert name in listed and first["AZURE_SUBSCRIPTION_ID"] in listed and first["AZURE_CLIENT_SECRET"] not in listed
    every = json.loads(run_tool("new", "--list", "--format", "json", "--data", sundog.data).stdout)
    assert next(job for job in every if job["name"] == name)["properties"]["expires"]
    delete(sundog, name)
    assert run_tool("delete", name, "--data", sundog.data).returncode != 0
    delete(sundog, new(sundog, name)["SUNDOG_JOB"])


def test_a_list_of_pages(sundog, arm):
    names = sorted("page-" + secrets.token_hex(3) for _ in range(3))
    for name in names:
        new(sundog, name)
    found, pages = arm.all(f"{JOBS}?$top=2")
    assert pages >= 2 and [job["name"] for job in found if job["name"] in names] == names
    in_parallel(lambda name: delete(sundog, name), names)


def test_who_may(sundog, arm):
    """Only who may assign roles everywhere makes jobs; a job makes and deletes none."""
    job = Job(sundog, new(sundog))
    entra = Entra(sundog)
    reader = entra.application()
    secret = entra.secret(reader)
    role = f"/providers/Microsoft.Authorization/roleDefinitions/{READER}"
    path = f"/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-{secrets.token_hex(6)}"
    expect(arm("PUT", path, {"properties": {"roleDefinitionId": role, "principalId": reader["principal"]["id"]}}, version="2022-04-01"), 201)
    reads = Arm(sundog, reader["appId"], secret)
    assert job.name in [one["name"] for one in reads.all(JOBS)[0]]
    for who in (reads, job):
        refused(who("POST", JOBS, {}), 403, "AuthorizationFailed")
        refused(who("DELETE", f"{JOBS}/{job.name}"), 403, "AuthorizationFailed")
    refused(job("GET", JOBS), 403, "AuthorizationFailed")
    refused(job("GET", f"{JOBS}/{job.name}"), 403, "AuthorizationFailed")
    entra.graph("DELETE", f"/applications/{reader['id']}", 204)
    delete(sundog, job.name)


def test_refused_at_once(sundog, arm):
    """The answer of the deletion is the end of every sign-in, whatever is still taken apart."""
    job = Job(sundog, new(sundog))
    job.group("app")
    digest, _ = job.reach().repository("team/app").image("1")
    bearer = expect(web.Http1()("GET", f"{sundog.plain}/oauth2/token?service=localhost&scope=repository:{job.registry_name}/team/app:pull",
                                headers=[("Authorization", web.basic(*job.login))]), 200).json()["access_token"]
    held = f"/v2/{job.registry_name}/team/app/manifests/{digest}"
    expect(job.reach().get(held, auth=f"Bearer {bearer}"), 200)
    other = Entra(sundog).application()  # let in by the job, and out with it
    path = f"{job.sub}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-{secrets.token_hex(6)}"
    expect(job("PUT", path, {"properties": {"roleDefinitionId": f"{job.sub}/providers/Microsoft.Authorization/roleDefinitions/{OWNER}",
                                            "principalId": other["principal"]["id"]}}, version="2022-04-01"), 201)
    guest = Arm(sundog, other["appId"], Entra(sundog).secret(other))
    assert guest.get(f"{job.sub}/resourceGroups")["value"]

    expect(arm("DELETE", f"{JOBS}/{job.name}"), 202)
    expect(job("GET", job.sub), 401)
    expect(job("PUT", f"{job.sub}/resourceGroups/late", {"location": "eastus"}), 401)
    expect(guest("PUT", f"{job.sub}/resourceGroups/late", {"location": "eastus"}), 403, 404, 409)
    form = f"grant_type=client_credentials&client_id={job.variables['AZURE_CLIENT_ID']}&client_secret={job.variables['AZURE_CLIENT_SECRET']}&scope={job.base}/.default"
    expect(job.http("POST", f"{job.base}/adfs/oauth2/token", form.encode(), [("Content-Type", "application/x-www-form-urlencoded")]), 400, 401)
    expect(job.reach().get(held), 401, 404)
    expect(job.reach().get(held, auth=f"Bearer {bearer}"), 401, 404)
    expect(job.reach().get("/v2/"), 401)
    wait_until(lambda: arm("GET", f"{JOBS}/{job.name}").status == 404, "it is deleted")
    refused(arm("GET", job.sub), 404, "SubscriptionNotFound")
    refused(arm("GET", f"{job.sub}/resourceGroups"), 404, "SubscriptionNotFound")
    Entra(sundog).graph("DELETE", f"/applications/{other['id']}", 204)


def test_with_all_that_a_job_can_make(sundog, arm):
    """Locks, quotas, tag names, custom roles, registrations, deleted groups' names: nothing stands in the way."""
    before = counts(sundog)
    job = Job(sundog, new(sundog))
    job.group("app", tags={"a": "b"})
    expect(job("PUT", f"{job.sub}/tagNames/colour"), 200, 201)
    expect(job("PUT", f"{job.sub}/tagNames/colour/tagValues/red"), 200, 201)
    expect(job("POST", f"{job.sub}/providers/Microsoft.ContainerInstance/unregister"), 200)
    lock = {"properties": {"level": "CanNotDelete"}}
    for scope in (job.sub, f"{job.sub}/resourceGroups/app"):
        expect(job("PUT", f"{scope}/providers/Microsoft.Authorization/locks/mine", lock, version="2020-05-01"), 201)
    expect(job("PUT", f"{job.sub}/providers/Microsoft.ContainerRegistry/locations/eastus/providers/Microsoft.Quota/quotas/registries",
               {"properties": {"limit": {"limitObjectType": "LimitValue", "value": 50}, "name": {"value": "registries"}}},
               version="2023-02-01"), 200, 202, 400, 404)
    role = f"00000000-0000-4000-8000-{secrets.token_hex(6)}"
    expect(job("PUT", f"{job.sub}/providers/Microsoft.Authorization/roleDefinitions/{role}",
               {"properties": {"roleName": f"role {role}", "description": "", "type": "CustomRole", "assignableScopes": [job.sub],
                               "permissions": [{"actions": ["*/read"], "notActions": []}]}}, version="2022-04-01"), 201)
    job.registry("app", "more" + secrets.token_hex(4))
    delete(sundog, job.name)
    assert counts(sundog) == before
    names = [one["properties"]["roleName"] for one in arm.get("/providers/Microsoft.Authorization/roleDefinitions", version="2022-04-01")["value"]]
    assert f"role {role}" not in names


def test_it_ends_by_itself(sundog, arm):
    before = counts(sundog)
    brief, lasting = new(sundog, "--for", "1"), new(sundog, "--for", "1h")
    wait_until(lambda: arm("GET", f"{JOBS}/{brief['SUNDOG_JOB']}").status == 404, "its time is over")
    refused(arm("GET", f"/subscriptions/{brief['AZURE_SUBSCRIPTION_ID']}"), 404, "SubscriptionNotFound")
    expect(arm("GET", f"{JOBS}/{lasting['SUNDOG_JOB']}"), 200)
    for variables in (brief, lasting):
        run_tool("delete", variables["SUNDOG_JOB"], "--data", sundog.data)
    assert {**counts(sundog), "folders": 0} == {**before, "folders": 0}


def test_a_job_of_a_name_that_was_doomed_stays(sundog, arm):
    """A step that comes late, for a job that is no more, leaves the live one of the same name alone."""
    need("root")
    name = "heir-" + secrets.token_hex(3)
    new(sundog, name, "--for", "1h")
    neighbour = threading.Thread(target=psql, args=(sundog, f"""
        BEGIN;
        UPDATE api.job SET ends = clock_timestamp() + interval '5 seconds' WHERE name = '{name}';
        COMMIT;
        BEGIN;
        UPDATE api.job SET ends = NULL WHERE name = '{name}' AND ends > clock_timestamp();
        DO $$ BEGIN
            WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FROM api.job j%') LOOP
                PERFORM pg_sleep(0.02);
                PERFORM pg_stat_clear_snapshot();
            END LOOP;
        END $$;
        COMMIT"""))
    neighbour.start()  # to who looks for jobs its time is over; to who takes it apart, it is another
    neighbour.join()
    brief = new(sundog, "--for", "1")["SUNDOG_JOB"]  # of the same one thread, and so after it
    wait_until(lambda: arm("GET", f"{JOBS}/{brief}").status == 404, "a later one is deleted")
    found = arm.get(f"{JOBS}/{name}")["properties"]
    assert found["state"] == "Running" and "expires" not in found
    for one in (name, brief):
        run_tool("delete", one, "--data", sundog.data)


def work(number, job, containers):
    """What a pipeline does, with the names that all of them use."""
    repository = job.reach().repository("team/app")
    digest, data = repository.image("1")
    job.group("app")
    if containers:
        push_shell(job.reach())
        job.create(f"echo job {number}; sleep 1000", name="web")
        job.wait_logs("web", f"job {number}")
    assert expect(repository.manifest("1"), 200).body == data
    subscriptions, groups, registries, running = job.sees()
    assert subscriptions == [job.sub] and [one.rsplit("/", 1)[1] for one in groups] == ["app", "job"]
    assert [one.rsplit("/", 1)[1] for one in registries] == [job.registry_name]
    assert [one.rsplit("/", 1)[1] for one in running] == (["web"] if containers else [])
    listed = expect(job.reach().get("/v2/_catalog?n=1000"), 200).json()["repositories"]
    assert set(listed) <= {f"{job.registry_name}/team/app", f"{job.registry_name}/busybox"} and listed
    return digest, data


def trespass(job, other, digest):
    """What is another job's cannot be seen, taken, changed or deleted."""
    for method, path, body in (("GET", other.sub, None), ("GET", f"{other.sub}/resourceGroups/app", None),
                               ("PUT", f"{other.sub}/resourceGroups/mine", {"location": "eastus"}),
                               ("DELETE", f"{other.sub}/resourceGroups/app", None),
                               ("GET", other.path("web"), None), ("DELETE", other.path("web"), None),
                               ("POST", f"{other.sub}/resourceGroups/job/providers/Microsoft.ContainerRegistry/registries/"
                                        f"{other.registry_name}/listCredentials", {}),
                               ("DELETE", f"{JOBS}/{other.name}", None)):
        expect(job(method, path, body), 403, 404)
    entra = job.variables["AZURE_CLIENT_ID"], job.variables["AZURE_CLIENT_SECRET"]
    for login in (job.login, entra):
        theirs = job.reach(other, login).repository("team/app")
        expect(theirs.manifest("1"), 401)
        expect(theirs.get(f"/manifests/{digest}"), 401)
        expect(theirs.request("POST", "/blobs/uploads/"), 401)
    mine = job.reach().repository("team/app")
    expect(mine.request("POST", f"/blobs/uploads/?mount={'sha256:' + '0' * 64}&from={other.registry_name}/team/app"), 401, 202)


def test_many_in_parallel(sundog, arm):
    """All at once, with the same names in each; and nothing of them is left."""
    need("root", "crun", "mount")
    running = 4
    before = counts(sundog)
    jobs = [Job(sundog, variables) for variables in in_parallel(lambda _: new(sundog), range(MANY))]
    assert len({(job.sub, job.registry_name, job.variables["AZURE_CLIENT_ID"]) for job in jobs}) == MANY
    pushed = in_parallel(lambda number: work(number, jobs[number], number < running), range(MANY))
    assert len({digest for digest, _ in pushed}) == MANY
    in_parallel(lambda number: trespass(jobs[number], jobs[number - 1], pushed[number - 1][0]), range(MANY))
    for number in range(running):
        assert f"job {number}" in jobs[number].logs("web")
    in_parallel(lambda job: delete(sundog, job.name), jobs)
    in_parallel(lambda job: expect(arm("GET", job.sub), 404), jobs)
    assert counts(sundog) == before
    wait_nothing_left(sundog.data)


def test_deletion_goes_on_after_kill(tmp_path):
    """Containers and a cluster of a job end, whatever becomes of the service that began to delete them."""
    need("root", "crun", "mount")
    with Sundog() as server:
        first = Arm(server)
        before = counts(server)
        job = Job(server, new(server))
        push_shell(job.reach())
        job.group("app")
        for number in range(3):
            job.create("trap '' TERM; while :; do sleep 1; done", name=f"g{number}")
        expect(job("PUT", f"{job.sub}/resourceGroups/app/providers/Microsoft.ContainerService/managedClusters/c", cluster_body(), version="2025-03-01"), 201)
        expect(first("DELETE", f"{JOBS}/{job.name}"), 202)
        server.kill()
        server.start()
        wait_until(lambda: Arm(server)("GET", f"{JOBS}/{job.name}").status == 404, "it is deleted")
        refused(first("GET", job.sub), 404, "SubscriptionNotFound")
        run_tool("delete", job.name, "--data", server.data)
        assert {**counts(server), "folders": 0} == {**before, "folders": 0}
        wait_until(lambda: nothing_left(server.data), "nothing of its containers is left")
