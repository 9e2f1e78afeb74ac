"""Sign-in and the directory as one client sees them, by plain HTTP."""

import base64
import datetime
import hashlib
import json
import secrets
import urllib.parse

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from harness.azure import admin
from harness.web import Http1, expect


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(token, number):
    """Header (0) or claims (1) of a token."""
    text = token.split(".")[number]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def certificate_of(key, name="tests"):
    """A self-signed certificate, and its SHA-1 thumbprint."""
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
            .not_valid_after(now + datetime.timedelta(days=30)).sign(key, hashes.SHA256()))
    return made, made.fingerprint(hashes.SHA1()).hex().upper()


class Entra:
    def __init__(self, server):
        self.server = server
        self.base = f"https://localhost:{server.port('https')}"
        self.send = Http1(server.ca)
        self.first = admin(server)
        self.graph_token = None

    def request(self, method, path, body=None, headers=None):
        url = path if path.startswith("https://") else self.base + path
        return self.send(method, url, body, list((headers or {}).items()))

    def get(self, path, headers=None):
        return self.request("GET", path, None, headers)

    def post(self, path, form, headers=None):
        body = urllib.parse.urlencode(form).encode()
        return self.request("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})})

    def token(self, form, path="/adfs/oauth2/token", url=None, headers=None):
        return self.post(url or path, form, headers)

    def token_for(self, resource, app_id=None, secret=None):
        """An access token of a service principal; of the first one by default."""
        form = {"grant_type": "client_credentials", "client_id": app_id or self.first["clientId"],
                "client_secret": secret or self.first["clientSecret"], "scope": f"{resource}/.default"}
        return expect(self.token(form), 200).json()["access_token"]

    # the directory

    def ask(self, method, path, body=None, token=None):
        """Graph, as the first principal unless another token is given."""
        if token is None:
            self.graph_token = self.graph_token or self.token_for(f"{self.base}/graph/")
            token = self.graph_token
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        return self.request(method, path if path.startswith("https://") else f"/graph/v1.0{path}", data, headers)

    def graph(self, method, path, status=200, body=None, token=None):
        answer = expect(self.ask(method, path, body, token), status)
        return answer.json() if answer.body else None

    def application(self, **more):
        """A new application with its service principal."""
        app = self.graph("POST", "/applications", 201, {"displayName": f"app-{secrets.token_hex(4)}", **more})
        app["principal"] = self.graph("POST", "/servicePrincipals", 201, {"appId": app["appId"]})
        return app

    def secret(self, app, **credential):
        return self.graph("POST", f"/applications/{app['id']}/addPassword", 200, {"passwordCredential": credential})["secretText"]

    def add_certificate(self, app, key):
        made, thumbprint = certificate_of(key)
        der = made.public_bytes(serialization.Encoding.DER)
        self.graph("PATCH", f"/applications/{app['id']}", 204,
                   {"keyCredentials": [{"type": "AsymmetricX509Cert", "usage": "Verify", "displayName": "tests",
                                        "key": base64.b64encode(der).decode()}]})
        assert thumbprint == hashlib.sha1(der).hexdigest().upper()
        return thumbprint
