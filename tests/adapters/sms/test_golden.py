"""Replies as their readers get them: each `golden/*.md` is what an agent wrote, the `.txt` beside it what is sent.

`PYTHONPATH=. python tests/adapters/sms/test_golden.py` writes them anew; then read them.
"""

from pathlib import Path

import pytest

from adapters.sms import replies, segments
from gateway.events import ThreadRef

GOLDEN = Path(__file__).parent / "golden"
ALICE = ThreadRef("sms", "+15005550006", "+15005550100")
LINK = "https://gateway.acme.example/m/1234-1795000000-abcdefghijklmnopqrstuvwxyz"
MOST = 10  # as SMS__MOST_SEGMENTS is, unless it is set


def written(markdown: str) -> str:
    """What somebody gets; where that is its beginning alone, also all the parts that it would have been."""
    whole, sent = replies.page(ALICE, markdown, most=MOST), replies.parts(ALICE, markdown)
    if whole is None:
        return listed("sent", sent)
    shortened = replies.parts(ALICE, markdown, link=LINK)
    return f"{listed('sent', shortened)}\n{listed('instead of', sent)}\n===== on the page =====\n{whole}\n"


def listed(title: str, texts: list[str] | tuple[str, ...] | object) -> str:
    assert isinstance(texts, list)
    total = sum(segments.count(text) for text in texts)
    shown = [f"----- {segments.count(one)} {segments.encoding(one)}, {len(one)} characters\n{one}" for one in texts]
    return "\n".join([f"===== {title}: {len(texts)} texts, {total} segments =====", *shown, ""])


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.md")), ids=lambda path: path.stem)
def test_a_reply_reads_as_it_did_when_somebody_last_looked(path: Path) -> None:
    assert written(path.read_text()) == path.with_suffix(".txt").read_text()


def test_the_replies_that_must_be_looked_at_are_there() -> None:
    assert {path.stem for path in GOLDEN.glob("*.md")} >= {"prose", "emoji", "table", "code", "list", "german"}
    assert len((GOLDEN / "prose.md").read_text()) >= 4_000


if __name__ == "__main__":
    for path in sorted(GOLDEN.glob("*.md")):
        path.with_suffix(".txt").write_text(written(path.read_text()))
