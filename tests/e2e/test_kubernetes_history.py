"""Concurrent writers and watchers: no event is lost, doubled or out of order, and revisions rise as writes do."""

import pytest

from harness.clusters import Clusters
from harness.objects import Api, Watcher, Writers, check_kept, check_promises, check_watcher, revision, state_after
from harness.server import wait_until

WRITES = 1500


@pytest.fixture(scope="module")
def api(sundog):
    clusters = Clusters(sundog)
    cluster = clusters.create()
    yield Api(clusters.kubeconfig(cluster))
    clusters.remove(cluster)


def namespace(api, name):
    assert api("POST", "/api/v1/namespaces", {"metadata": {"name": name}})[0] == 201
    return f"/api/v1/namespaces/{name}/configmaps"


def test_histories_agree(api):
    path = namespace(api, "history")
    watchers = [Watcher(api, path, selector).start() for selector in ("", "", "half=a", "half=b")]
    wait_until(lambda: all(watcher.runs for watcher in watchers), "all watch")
    writers = Writers(api, "history").start()
    lists = []
    while writers.count() < WRITES:
        status, listed = api("GET", path)
        assert status == 200
        lists.append(listed)
    writers.stop()
    assert set(writers.statuses) <= {200, 201, 404, 409}, writers.statuses
    final = api("GET", path)[1]
    last = max(write.revision or 0 for write in writers.writes)
    for watcher in watchers[:2]:  # the last deletions, too, whose revisions nobody was told
        wait_until(lambda watcher=watcher: watcher.last >= last and state_after(*watcher.runs[0]) == state_after(final, []),
                   "the watcher has seen the last write")
    for watcher in watchers:
        watcher.stop()
        check_watcher(watcher)
    for watcher in watchers[:2]:
        assert check_promises(writers, watcher) == sum(1 for write in writers.writes if write.revision)
        listed, events = watcher.runs[0]
        assert len(watcher.runs) == 1
        for some in lists + [final]:  # a list is the state of its revision
            until = [event for event in events if event[2] <= revision(some)]
            assert state_after(listed, until) == state_after(some, [])
    check_kept(writers, final)


def test_a_watch_resumes_where_it_was(api):
    path = namespace(api, "resume")
    begin = revision(api("GET", path)[1])
    writers = Writers(api, "resume", threads=3).start()
    wait_until(lambda: writers.count() > 200, "there is a history")
    writers.stop()
    last = max(write.revision or 0 for write in writers.writes)

    def events_since(number):
        seen = []
        def look(kind, thing):
            seen.append((kind, thing["metadata"]["name"], revision(thing)))
            return revision(thing) >= last
        api.watch(f"{path}?watch=1&resourceVersion={number}", look)
        return seen
    whole = events_since(begin)
    assert len(whole) >= sum(1 for write in writers.writes if write.revision)
    for number in (len(whole) // 3, len(whole) // 2, len(whole) - 2):
        assert events_since(whole[number][2]) == whole[number + 1:]
