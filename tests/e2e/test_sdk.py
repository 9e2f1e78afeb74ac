"""The Azure SDKs for JavaScript (npm, newest) and Python (Debian's), pointed here by `sundog env`."""

import pytest

from harness import images, web
from harness.azure import admin, environment
from harness.clients import run
from harness.containers import push_shell, wait_nothing_left
from harness.machine import need
from harness.node import packages, run_checks
from harness.server import fresh_folder


@pytest.fixture(scope="module")
def env(sundog):
    need("localhost-names")
    found = environment(sundog)
    first = admin(sundog)
    found["SUNDOG_USER"], found["SUNDOG_USER_PASSWORD"] = first["userName"], first["userPassword"]
    return found


def push(sundog, image):
    need("skopeo")
    first = admin(sundog)
    layout = images.small_layout(f"{fresh_folder('l')}/layout")
    server = f"{first['registryName']}.azurecr.localhost:{sundog.port('https')}"
    run("skopeo", "copy", "--dest-creds", f"{first['clientId']}:{first['clientSecret']}", "--dest-tls-verify=false",
        f"oci:{layout.folder}:one", f"docker://{server}/{image}")
    return server


@pytest.fixture(scope="module")
def node():
    return packages()


def test_javascript(sundog, env, node):
    run_checks(node, "sdk.mjs", {**env, "SUNDOG_SDK_MADE": push(sundog, "hello-world:v1")}, 13)


def test_javascript_containers(sundog, env, node):
    need("root", "crun", "mount")
    push_shell(web.by_path(sundog))
    run_checks(node, "containers.mjs", {**env, "SUNDOG_SDK_IMAGE": "sundog.azurecr.io/busybox:1"}, 11)
    wait_nothing_left(sundog.data)


def test_javascript_clusters(sundog, env, node):
    need("root", "crun", "mount")
    run_checks(node, "clusters.mjs", env, 9)
    wait_nothing_left(sundog.data)


def test_python(sundog, env):
    from azure.containerregistry import ContainerRegistryClient
    from azure.identity import ClientSecretCredential
    from azure.mgmt.containerregistry import ContainerRegistryManagementClient
    from azure.mgmt.resource import ResourceManagementClient, SubscriptionClient

    first = admin(sundog)
    base = f"https://localhost:{sundog.port('https')}"
    bundle = env["REQUESTS_CA_BUNDLE"]
    credential = ClientSecretCredential(first["tenantId"], first["clientId"], first["clientSecret"],
                                        authority=f"{base}/adfs",  # no look-up on the internet
                                        connection_verify=bundle)
    at = {"base_url": base, "credential_scopes": [f"{base}/.default"], "connection_verify": bundle}
    subscription = first["subscriptionId"]
    assert [s.subscription_id for s in SubscriptionClient(credential, **at).subscriptions.list()] == [subscription]
    resources = ResourceManagementClient(credential, subscription, **at)
    assert resources.resource_groups.create_or_update("py", {"location": "eastus"}).name == "py"
    registries = ContainerRegistryManagementClient(credential, subscription, **at)
    made = registries.registries.begin_create("py", "pyregistry", {"location": "eastus", "sku": {"name": "Standard"}}).result()
    assert made.login_server.startswith("pyregistry.")
    assert registries.registries.get("py", "pyregistry").sku.name == "Standard"
    server = push(sundog, "py/hello:v1")
    with ContainerRegistryClient(f"https://{server}", credential, audience=f"{base}/acr", connection_verify=bundle) as client:
        assert "py/hello" in list(client.list_repository_names())
        assert client.get_tag_properties("py/hello", "v1").digest.startswith("sha256:")
        client.delete_repository("py/hello")
    assert resources.resource_groups.begin_delete("py").result() is None
    assert "pyregistry" not in [r.name for r in registries.registries.list()]
