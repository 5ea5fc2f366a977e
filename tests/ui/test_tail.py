"""The newest records as the screen keeps them: whatever is written between two looks, a run of the journal without a hole."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hooptui.core.desk import JournalLine
from hooptui.core.events import Alert, Event
from hooptui.core.gate import Masked
from hooptui.tui.tail import KEPT, PAGE, Tail
from tests.ui.desk import SceneDesk
from tests.ui.scenes import NOW, empty

GROWTHS = st.lists(st.tuples(st.sampled_from((0, 1, 2, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE)), st.booleans()), max_size=8)


@given(GROWTHS)
@example([(21, False), (8, True), (1, True)])
@example([(2, False), (PAGE, False), (PAGE, True)])
@settings(max_examples=60, deadline=None, derandomize=True)
async def test_the_list_is_the_end_of_the_journal_and_loses_nothing_it_need_not(
    growths: list[tuple[int, bool]],
) -> None:
    desk, tail, seq, expected = SceneDesk(empty()), Tail(), 0, 0
    for count, checkpoint in growths:
        # A checkpoint has a number of its own and is no record that anybody is shown.
        seq += int(checkpoint)
        for _ in range(count):
            seq += 1
            desk.lines.append(JournalLine(seq, Event(NOW, "", Alert("c", Masked(str(seq))))))
        await tail.newest(desk, seq)
        fits = count < PAGE or (count == PAGE and not checkpoint)
        expected = min(expected + count, KEPT) if fits else PAGE
        assert len(tail.lines) == expected
        assert tail.lines == desk.lines[len(desk.lines) - expected :]
