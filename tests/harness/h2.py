"""A raw HTTP/2 client: frames as they are, for clients that do not play by the rules."""

import socket
import ssl
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def literal(name, value):
    """A header field without indexing and without Huffman."""

    def text(part):
        part = part.encode()
        assert len(part) < 127 + 128
        return (bytes([len(part)]) if len(part) < 127 else bytes([127, len(part) - 127])) + part

    return b"\x00" + text(name) + text(value)


def headers(method, path, authority, *more):
    pairs = [(":method", method), (":scheme", "https"), (":path", path), (":authority", authority), *more]
    return b"".join(literal(name, value) for name, value in pairs)


class Connection:
    def __init__(self, port, cafile, host="localhost"):
        context = ssl.create_default_context(cafile=cafile)
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection(("127.0.0.1", port), timeout=60)
        self.sock = context.wrap_socket(plain, server_hostname=host)
        assert self.sock.selected_alpn_protocol() == "h2", "the server offers no HTTP/2 here"
        self.authority = f"{host}:{port}"
        self.send(PREFACE + frame(SETTINGS, 0, 0))
        self.buffer = b""

    def send(self, data):
        self.sock.sendall(data)

    def request(self, stream, method, path, *more, end=True):
        block = headers(method, path, self.authority, *more)
        return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block)

    def read_frame(self):
        """(kind, flags, stream, payload), or None at the end."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
            try:
                data = self.sock.recv(65536)
            except OSError:
                return None
            if not data:
                return None
            self.buffer += data
        length = int.from_bytes(self.buffer[:3], "big")
        kind, flags = self.buffer[3], self.buffer[4]
        stream = int.from_bytes(self.buffer[5:9], "big") & 0x7FFFFFFF
        payload, self.buffer = self.buffer[9:9 + length], self.buffer[9 + length:]
        if kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, ACK, 0))
        return kind, flags, stream, payload

    def close(self):
        self.sock.close()
