"""Access just in time: one question to people, however many connections of a client wait for it."""

from __future__ import annotations

import ssl

from hooptui.core.events import DeadlineMoved, Held
from hooptui.core.model import Access, HoldTerms
from tests.core.world import allow
from tests.protocols.contract import until
from tests.protocols.kubernetes.apiserver import ApiServer
from tests.protocols.kubernetes.gatehouse import Gatehouse, everything, message, open_gate, parsed
from tests.protocols.kubernetes.test_gate import head

WANTED = Access(frozenset({"ask"}), HoldTerms("ask", frozenset({"dba"}), expires=60, scope_lasts=120.0), "ask for it")


def asking(house: Gatehouse) -> ssl.SSLSocket:
    sock = house.connect()
    sock.sendall(head("Connection: close"))
    return sock


def test_one_approval_lets_every_connection_in(server: ApiServer) -> None:
    with open_gate(server, lambda _: allow()) as house:
        house.door.access = WANTED
        first, second = asking(house), asking(house)
        until(lambda: len(house.door.sessions) == 2 and house.waiting())
        assert len(house.waiting()) == 1
        house.vote(True)
        for sock in (first, second):
            assert parsed(everything(sock))[0] == 200
            sock.close()
        assert len(house.book.bodies(Held)) == 1
        assert len(house.book.bodies(DeadlineMoved)) == 2, "each session ends with the grant"


def test_a_refusal_is_for_all(server: ApiServer) -> None:
    with open_gate(server, lambda _: allow()) as house:
        house.door.access = WANTED
        socks = [asking(house), asking(house)]
        until(lambda: len(house.door.sessions) == 2 and house.waiting())
        before = len(server.asked)
        house.vote(False, "not today")
        for sock in socks:
            code, _, body = parsed(everything(sock))
            assert code == 403 and "not today" in message(body)
            sock.close()
        assert len(server.asked) == before


def test_when_who_asked_leaves_another_asks(server: ApiServer) -> None:
    with open_gate(server, lambda _: allow()) as house:
        house.door.access = WANTED
        first = asking(house)
        number = until(house.waiting)[0].number
        second = asking(house)
        until(lambda: len(house.door.sessions) == 2)
        first.close()
        until(lambda: [one for one in house.waiting() if one.number != number])
        house.vote(True)
        assert parsed(everything(second))[0] == 200
        second.close()
