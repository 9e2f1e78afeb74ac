"""`--anonymous-pull`: a setting of the first registry, kept over restarts until it is changed."""


from harness import web
from harness.server import Sundog
from harness.web import expect


def test_anonymous_pull_is_a_setting():
    with Sundog(["--anonymous-pull", "on"]) as server:
        mine = web.by_path(server)
        digest, data = mine.repository("open/app").image("v1")
        anybody = web.Registry(server.plain, "sundog/", None, web.Http1())
        assert expect(anybody.repository("open/app").manifest("v1"), 200).body == data
        assert expect(anybody.repository("open/app").manifest(digest), 200).body == data
        expect(anybody.repository("open/app").get("/tags/list"), 200)
        expect(anybody.repository("open/app").request("POST", "/blobs/uploads/"), 401)
        expect(anybody.repository("open/app").put("v2", data, web.OCI_MANIFEST), 401)
        expect(anybody.repository("open/app").delete("/manifests/v1"), 401)

        server.stop()
        server.args = []
        server.start()
        anybody = web.Registry(server.plain, "sundog/", None, web.Http1())
        expect(anybody.repository("open/app").manifest("v1"), 200)

        server.stop()
        server.args = ["--anonymous-pull", "off"]
        server.start()
        anybody = web.Registry(server.plain, "sundog/", None, web.Http1())
        expect(anybody.repository("open/app").manifest("v1"), 401)
