"""What the recording and the journal get of a transfer, from a session of its own, masked by its masks."""

from __future__ import annotations

from dataclasses import dataclass, field

from hooptui.core.events import Body, Output
from hooptui.core.gate import Masked
from hooptui.protocols.ssh.sftp.report import Moved, Report, complaint, recorder


class Stars:
    """A masker that knows one secret."""

    def text(self, raw: str) -> Masked:
        return Masked(raw.replace("s3cr3t", "******"))


@dataclass
class Desk:
    """As much of a Session as a recorder uses."""

    masker: Stars = field(default_factory=Stars)
    bodies: list[Body] = field(default_factory=list)
    finished_: list[tuple[int, str, bool, float]] = field(default_factory=list)

    def try_record(self, body: Body) -> None:
        self.bodies.append(body)

    def finished(self, number: int, tag: str, *, ok: bool, rows: int, masked: int, seconds: float) -> None:
        assert rows == masked == 0
        self.finished_.append((number, tag, ok, seconds))


def test_each_operation_is_one_masked_line_and_is_finished_unless_it_never_began() -> None:
    desk = Desk()
    report = recorder(desk)  # type: ignore[arg-type]  # a Session needs a whole house
    report(Report(3, "write", ("/srv/s3cr3t",), True, "ok", moved=(Moved(5, 2, "ab"),), seconds=1.5))
    report(Report(4, "remove", ("/x",), False, "denied by rule r: no", refused=True))
    report(Report(5, "update", ("/x",), False, "a write failed: failure", moved=(Moved(0, 0, "cd"), Moved(9))))
    lines = [(one.operation, one.stream, one.text) for one in desk.bodies if isinstance(one, Output)]
    assert lines == [
        (3, "sftp", 'write "/srv/******" 5 bytes from 2 sha256 ab ok'),
        (4, "sftp", 'remove "/x" refused: denied by rule r: no'),
        (5, "sftp", 'update "/x" 0 bytes sha256 cd 9 bytes sha256 none: not in order a write failed: failure'),
    ]
    assert desk.finished_ == [(3, "ok", True, 1.5), (5, "a write failed: failure", False, 0.0)]


def test_a_complaint_is_safe_to_look_at() -> None:
    said = complaint(Report(1, "remove", ("/a\x1b[31m\n",), False, "no", refused=True))
    assert said == 'hooptui: remove "/a␛[31m␊" refused: no'
