"""The console in headless Chromium: no script error, no breach of its policy, no serious finding of axe-core, pages that
change while one looks, by keyboard, without script, light and dark, wide and narrow."""

import json

from harness.azure import admin
from harness.entra import Entra
from harness.machine import need
from harness.manager import Arm
from harness.node import packages, run_checks
from harness.server import wait_until

PAGES = ["/console", "/console/activity", "/console/groups", "/console/instances", "/console/instances/new", "/console/access",
         "/console/access/users", "/console/deployments"]


def deployed(arm):
    """The pages of one that went well and one that failed."""
    arm.group("deployed")
    paths = []
    for name in ("good01", "no"):
        paths.append(f"{arm.sub}/resourceGroups/deployed/providers/Microsoft.Resources/deployments/d-{name}")
        arm.put(paths[-1], {"properties": {"mode": "Incremental", "template": {
            "$schema": "x", "contentVersion": "1", "outputs": {"o": {"type": "object", "value": {"a": ["b"]}}}, "resources": [{
                "type": "Microsoft.ContainerRegistry/registries", "apiVersion": "2023-07-01", "name": name, "location": "eastus",
                "sku": {"name": "Basic"}}]}}})
        wait_until(lambda: arm.get(paths[-1])["properties"]["provisioningState"] != "Running", "it ends")
    return [f"/console{path}" for path in paths]


def test_in_a_browser(sundog):
    need("chromium")
    first, entra = admin(sundog), Entra(sundog)
    token = entra.token({"grant_type": "client_credentials", "client_id": first["clientId"],
                         "client_secret": first["clientSecret"], "scope": f"{entra.base}/arm//.default"}).json()["access_token"]
    group = f"{sundog.plain}/subscriptions/{first['subscriptionId']}/resourceGroups/made-while-looking?api-version=2022-09-01"
    run_checks(packages(), "console.mjs", {
        "SUNDOG_URL": sundog.plain, "SUNDOG_USER": first["userName"], "SUNDOG_USER_PASSWORD": first["userPassword"],
        "SUNDOG_PAGES": json.dumps(PAGES + deployed(Arm(sundog))), "SUNDOG_MAKE_GROUP": json.dumps({"url": group, "token": token})}, 6)
