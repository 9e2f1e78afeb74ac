"""An upload is locked while a request writes to it, and free again when the client has its answer."""

import os
import threading

from harness import web
from harness.web import expect


def test_next_request_may_follow_the_answer_at_once(sundog):
    """Seen with docker: PUT came while the PATCH before it, answered 202, still held the lock."""
    refused = []

    def push(number):
        name = f"locked/{number}"
        one, other = (web.by_path(sundog).repository(name) for _ in range(2))  # two connections
        for _ in range(60):
            data = os.urandom(2000)
            url = one.start()
            expect(one.patch(url, data[:1000], "0-999"), 202)
            answer = other.patch(url, data[1000:], "1000-1999")
            if answer.status == 202:
                answer = one.finish(url, web.digest_of(data))
            if answer.status != 201:
                refused.append(answer)

    threads = [threading.Thread(target=push, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not refused, refused[0]
