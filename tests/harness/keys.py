"""What only the server should be able to make: tokens signed with its own key. Tests that run as root
can open the sealed key, and so make tokens that are expired, foreign or wrong in one claim only."""

import json
import os
import pwd
import subprocess

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import base64

NONCE_BYTES = 12


def psql_command(server):
    """psql as the owner of the server's embedded PostgreSQL: rows are lines, columns apart by tabs."""
    user = []
    if os.geteuid() == 0:
        pwd.getpwnam("sundog")
        user = ["setpriv", "--reuid=sundog", "--regid=sundog", "--clear-groups"]
    return [*user, "psql", "-X", "-q", "-A", "-t", "-F", "\t", "-h", f"{server.data}/postgres-socket", "-U", "sundog", "-d",
            "sundog", "-v", "ON_ERROR_STOP=1"]


def psql(server, sql):
    """Rows of text columns from the server's embedded PostgreSQL."""
    done = subprocess.run([*psql_command(server), "-c", sql], check=True, capture_output=True, text=True, cwd="/", timeout=120)
    return [line.split("\t") for line in done.stdout.splitlines()]


def _base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    """Signs claims as the server does; `forged` with a key of our own under the same kid."""

    def __init__(self, server):
        kid, sealed = psql(server, "SELECT kid, encode(sealed_key, 'hex') FROM auth.signing_key"
                                   " ORDER BY created_at DESC LIMIT 1")[0]
        with open(f"{server.data}/secret.key", "rb") as file:
            key = bytes.fromhex(file.read().strip().decode())
        sealed = bytes.fromhex(sealed)
        pem = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], f"auth/signing_key/{kid}".encode())
        self.kid, self.key = kid, serialization.load_pem_private_key(pem.rstrip(b"\0"), None)
        self.other = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(self, claims, forged=False, header=None):
        head = {"typ": "JWT", "alg": "RS256", "kid": self.kid, **(header or {})}
        text = f"{_base64url(json.dumps(head).encode())}.{_base64url(json.dumps(claims).encode())}"
        key = self.other if forged else self.key
        return f"{text}.{_base64url(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def claims_of(token):
    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
