"""What masking a stream costs against passing it through. Not a test: `python tests/bench/bench_streams.py [MEGABYTES]`.

Every kind of output in chunks of 32 KiB, all detectors in force, best of five, interleaved; then the echo of a key.
"""

from __future__ import annotations

import base64
import random
import statistics
import sys
import time
from collections.abc import Callable

from hooptui.core.model import MaskRule, MaskSet
from hooptui.masking import detectors
from hooptui.masking.streams import Released, StreamMasker

CHUNK = 32 * 1024
MASKS = MaskSet((MaskRule("net", detect=detectors.ALL),))
DICE = random.Random(7)


def lines(make: Callable[[int], str], size: int) -> bytes:
    out = bytearray()
    number = 0
    while len(out) < size:
        out += make(number).encode()
        number += 1
    return bytes(out[:size])


def kinds(size: int) -> dict[str, bytes]:
    def word() -> str:
        return DICE.choice(("the", "server", "request", "done", "in", "error", "while", "reading", "index.html"))

    log = lines(
        lambda n: f"2026-11-22 10:{n % 60:02d}:01 INFO worker {n % 7} {word()} {word()} took {n % 900} ms\n", size
    )
    return {
        "log lines": log,
        "log lines, CRLF": log.replace(b"\n", b"\r\n")[:size],
        "binary": DICE.randbytes(size),
        "base64 in lines": base64.encodebytes(DICE.randbytes(size * 3 // 4))[:size],
        "base64 in one": base64.b64encode(DICE.randbytes(size * 3 // 4))[:size],
        "in colour": lines(lambda n: f"\x1b[01;34mdir{n}\x1b[0m  \x1b[01;32mrun-{n}.sh\x1b[0m  {word()}\r\n", size),
        "one e-mail in 50 lines": lines(
            lambda n: f"{n} {word()} {word()} {word()}" + (f" u{n}@acme.io\n" if n % 50 == 0 else "\n"), size
        ),
        "an e-mail in each line": lines(lambda n: f"{n} {word()} user{n}@acme.io {word()}\n", size),
        "numbers in one line": lines(lambda n: f"{n} ", size),
    }


def passed(chunks: list[bytes]) -> int:
    return sum(len(Released(chunk).data) for chunk in chunks)


def masked(chunks: list[bytes]) -> int:
    stream = StreamMasker(MASKS, bytes(32))
    return sum(len(stream.feed(chunk, 0.0).data) for chunk in chunks) + len(stream.close().data)


def timed(run: Callable[[list[bytes]], int], chunks: list[bytes]) -> float:
    start = time.perf_counter()
    run(chunks)
    return time.perf_counter() - start


def echo() -> float:
    stream = StreamMasker(MASKS, bytes(32))
    took, now = [], 0.0
    for number in range(5000):
        chunk = b"ls -la /etc | grep x"[number % 20 :][:1] if number % 60 else b"\r\n$ "
        now += 0.1
        start = time.perf_counter()
        out = stream.feed(chunk, now)
        took.append(time.perf_counter() - start)
        if out.data != chunk:
            raise AssertionError("an echo was held")
    return statistics.median(took)


def main() -> None:
    size = int(sys.argv[1] if len(sys.argv) > 1 else 8) * 1_000_000
    print(f"{'':26} {'passed on':>14} {'masked':>10}   MB/s")
    for name, data in kinds(size).items():
        chunks = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]
        pairs = [(timed(passed, chunks), timed(masked, chunks)) for _ in range(5)]
        plain, through = (len(data) / min(column) / 1e6 for column in zip(*pairs, strict=True))
        print(f"{name:26} {plain:14.0f} {through:10.1f}")
    print(f"echo of a key: {echo() * 1e6:.1f} µs in the median")


if __name__ == "__main__":
    main()
