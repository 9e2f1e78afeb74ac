"""The console in headless Chromium: no script error, no breach of its policy, no serious finding of axe-core, pages that
change while one looks, by keyboard, without script, light and dark, wide and narrow."""

import json

from harness.azure import admin
from harness.entra import Entra
from harness.machine import need
from harness.node import packages, run_checks

PAGES = ["/console", "/console/activity", "/console/groups", "/console/instances", "/console/instances/new", "/console/access",
         "/console/access/users"]


def test_in_a_browser(sundog):
    need("chromium")
    first, entra = admin(sundog), Entra(sundog)
    token = entra.token({"grant_type": "client_credentials", "client_id": first["clientId"],
                         "client_secret": first["clientSecret"], "scope": f"{entra.base}/arm//.default"}).json()["access_token"]
    group = f"{sundog.plain}/subscriptions/{first['subscriptionId']}/resourceGroups/made-while-looking?api-version=2022-09-01"
    run_checks(packages(), "console.mjs", {
        "SUNDOG_URL": sundog.plain, "SUNDOG_USER": first["userName"], "SUNDOG_USER_PASSWORD": first["userPassword"],
        "SUNDOG_PAGES": json.dumps(PAGES), "SUNDOG_MAKE_GROUP": json.dumps({"url": group, "token": token})}, 6)
