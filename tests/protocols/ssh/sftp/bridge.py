"""Stands where OpenSSH's sftp and scp would start ssh: their stdin and stdout go to a Unix socket, after a line with the command line."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading


def main() -> int:
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(os.environ["BRIDGE"])
        peer.sendall(json.dumps(sys.argv[1:]).encode() + b"\n")
        threading.Thread(target=up, args=(peer,), daemon=True).start()
        while data := peer.recv(1 << 18):
            out = memoryview(data)
            while out:
                out = out[os.write(1, out) :]
    return 0


def up(peer: socket.socket) -> None:
    try:
        while data := os.read(0, 1 << 18):
            peer.sendall(data)
        peer.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the other side has gone, and the main thread sees that


if __name__ == "__main__":
    sys.exit(main())
