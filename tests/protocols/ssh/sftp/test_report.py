"""What the recording and the journal get of a transfer, from a session of its own, masked by its masks."""

from __future__ import annotations

from dataclasses import dataclass, field

from hooptui.core.events import Body
from hooptui.core.events_channels import FileDone
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


def test_each_direction_is_recorded_masked_and_each_operation_is_finished_unless_it_never_began() -> None:
    desk = Desk()
    report = recorder(desk)  # type: ignore[arg-type]  # a Session needs a whole house
    report(Report(3, "write", ("/srv/s3cr3t",), True, "ok", moved=(Moved(5, 2, "ab"),), seconds=1.5))
    report(Report(4, "remove", ("/x",), False, "denied by rule r: no", refused=True))
    report(Report(5, "update", ("/x",), False, "a write failed: failure", moved=(Moved(0, 0, "cd"), Moved(9))))
    assert desk.bodies == [
        FileDone(3, "write", (Masked("/srv/******"),), True, Masked("ok"), False, 5, 2, "ab"),
        FileDone(4, "remove", (Masked("/x"),), False, Masked("denied by rule r: no"), True, None, 0, ""),
        FileDone(5, "read", (Masked("/x"),), False, Masked("a write failed: failure"), False, 0, 0, "cd"),
        FileDone(5, "write", (Masked("/x"),), False, Masked("a write failed: failure"), False, 9, 0, ""),
    ]
    assert desk.finished_ == [(3, "ok", True, 1.5), (5, "a write failed: failure", False, 0.0)]


def test_a_complaint_is_safe_to_look_at() -> None:
    said = complaint(Report(1, "remove", ("/a\x1b[31m\n",), False, "no", refused=True))
    assert said == 'hooptui: remove "/a␛[31m␊" refused: no'
