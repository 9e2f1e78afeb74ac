"""A browser without script for the console: cookies, redirects, links, forms."""

import http.cookiejar
import json
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser

import websocket

from harness.server import HANG_S


class Form:
    def __init__(self, action):
        self.action, self.fields, self.button = action, {}, ""
        self.presses = []  # attributes of its buttons, in order


class _Reader(HTMLParser):
    VOID = {"meta", "link", "input", "br", "img", "path", "hr"}

    def __init__(self):
        super().__init__()
        self.open, self.links, self.forms, self.text, self.broken, self.title = [], {}, [], [], [], ""

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in self.VOID:
            self.open.append((tag, attrs))
        if tag == "form":
            self.forms.append(Form(attrs.get("action", "")))
            self.forms[-1].method = attrs.get("method", "get")
        elif tag == "button" and any(outer == "form" for outer, _ in self.open):
            self.forms[-1].presses.append(attrs)
        elif tag == "option" and self.forms and "selected" in attrs:
            name = next(outer["name"] for kind, outer in reversed(self.open) if kind == "select")
            self.forms[-1].fields[name] = attrs.get("value")
        elif tag in ("input", "textarea", "select") and self.forms and attrs.get("name"):
            self.forms[-1].fields[attrs["name"]] = attrs.get("value") or ""

    def handle_endtag(self, tag):
        if tag in self.VOID:
            return
        if not self.open or self.open[-1][0] != tag:
            self.broken.append(tag)
        else:
            self.open.pop()

    def handle_data(self, data):
        self.text.append(data)
        if self.open and self.open[-1][0] == "textarea":
            self.forms[-1].fields[self.open[-1][1]["name"]] = data.removeprefix("\n")
        for tag, attrs in self.open[-3:]:
            if tag == "a":
                self.links[" ".join(data.split())] = attrs.get("href")
            elif tag == "title":
                self.title += data
            elif tag == "button" and any(outer == "form" for outer, _ in self.open):
                self.forms[-1].button = data


class Page:
    """One answer: its status, url, text without tags, links by their text, forms by their button."""

    def __init__(self, status, url, headers, body):
        self.status, self.url, self.headers, self.body = status, url, headers, body
        reader = _Reader()
        reader.feed(body)
        reader.close()
        self.links, self.forms, self.title = reader.links, reader.forms, reader.title
        self.text = " ".join(" ".join(reader.text).split())
        self.broken = reader.broken + [tag for tag, _ in reader.open]

    def form(self, button):
        return next(form for form in self.forms if form.button.strip() == button)

    def has_form(self, button):
        return any(form.button.strip() == button for form in self.forms)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Browser:
    def __init__(self, server):
        self.base = server.plain.rstrip("/")
        self.jar = http.cookiejar.CookieJar()
        cookies = urllib.request.HTTPCookieProcessor(self.jar)
        self.follow = urllib.request.build_opener(cookies)
        self.stay = urllib.request.build_opener(cookies, _NoRedirect)

    def get(self, path, data=None, follow=True, headers=()):
        url = urllib.parse.urljoin(self.base + "/", path)
        request = urllib.request.Request(url, data, dict(headers))
        try:
            answer = (self.follow if follow else self.stay).open(request, timeout=HANG_S)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            page = Page(answer.status, answer.url, answer.headers, answer.read().decode())
        assert not page.broken, f"{url}: tags that do not fit: {page.broken}"
        return page

    def submit(self, page, form, follow=True, press=0, **values):
        """press: which of its buttons; it may bring a value and a method of its own."""
        button = form.presses[press] if form.presses else {}
        if button.get("name"):
            values[button["name"]] = button.get("value")
        fields = urllib.parse.urlencode({**form.fields, **values})
        target = urllib.parse.urljoin(page.url, form.action)
        if button.get("formmethod", form.method) == "post":
            return self.get(target, fields.encode(), follow)
        return self.get(target.split("?")[0] + "?" + fields, follow=follow)

    def live(self, path):
        """What stands in the page's <main>, whenever it changes."""
        with self.follow.open(self.base + "/console/live?page=" + urllib.parse.quote(path, safe=""), timeout=HANG_S) as answer:
            for line in answer:
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])
        raise AssertionError("the stream ended")

    def terminal(self, path, container, origin=None, cookie=True):
        """The WebSocket of a shell's page, 31 rows by 97 columns."""
        session = next(c.value for c in self.jar if c.name == "sundog-session")
        return websocket.create_connection(
            self.base.replace("http", "ws", 1) + urllib.parse.quote(path) + f"?container={container}&rows=31&cols=97",
            origin=origin or self.base, cookie=f"sundog-session={session}" if cookie else None, timeout=HANG_S)

    def sign_in(self, user, password, at="/console"):
        page = self.get(at)
        return self.submit(page, page.form("Sign in"), username=user, password=password)


def typed(socket, text):
    """What a shell says to it, to its end."""
    said = b""
    socket.send_binary(text)
    while True:
        opcode, data = socket.recv_data()
        if opcode == 8:
            return said
        said += data
