"""A command in a terminal, with somebody at the keys."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time

from harness.server import HANG_S


def in_terminal(command, env, folder, keys=(), size=(24, 80)):
    """Runs it to its end; keys: (text to wait for, what to type then, or to call). All that was shown."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=folder,
                               start_new_session=True)
    os.close(slave)
    shown, keys, deadline = b"", list(keys), time.monotonic() + 3 * HANG_S
    try:
        while True:
            assert time.monotonic() < deadline, shown.decode(errors="replace")
            if select.select([master], [], [], 0.2)[0]:
                try:
                    data = os.read(master, 65536)
                except OSError:  # the other end is closed by all
                    break
                shown += data
            elif process.poll() is not None:
                break
            if keys and keys[0][0].encode() in shown:
                then = keys.pop(0)[1]
                os.write(master, (then() or "" if callable(then) else then).encode())
        status = process.wait(HANG_S)
    finally:
        process.kill()
        os.close(master)
    text = shown.decode(errors="replace").replace("\r", "")
    assert status == 0, text
    assert not keys, f"waited in vain for {keys[0][0]!r} in {text}"
    return text
