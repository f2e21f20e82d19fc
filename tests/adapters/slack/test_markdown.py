"""An agent's Markdown in Slack: cut where a reader would cut it, nothing in it is live, nothing of it is lost."""

import re
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from adapters.sandbox.blocks import check_blocks
from adapters.slack import markdown

HOSTILE = st.sampled_from(
    [
        *(
            "<!channel>",
            "<!here|here>",
            "<!subteam^S1>",
            "<@U0ANA>",
            "<#C0OPS|ops>",
            "<!date^1^{date}|x>",
            "&lt;!channel&gt;",
            "<&#33;channel>",
            "<\\!channel>",
            "&lt;&commat;U0ANA&gt;",
        ),
        *(
            "<https://evil.com|https://bank.com>",
            "<https&colon;//evil.com|https://bank.com>",
            "<https\\://evil.com|https://bank.com>",
            "[https://bank.com](https://evil.com)",
            "[x][1]",
            "[1]: https://evil.com",
        ),
        *(
            "[a\nb](https://evil.com)",
            "![bank](https://evil.com)",
            "\\[x](y)",
            "[[a](http://x)](http://y)",
            "](",
            "<",
            "!",
        ),
        *("```\n", "```python\n", "~~~\n", "````\n", "`code`", "`", "\n\n", "\n", "# Title\n", "- one\n", "> said\n"),
        *(
            "| a | b |\n|---|---|\n",
            "word ",
            "\u2060",
            "\U0001f600",
            "\u202e",
            "   ```\n",
            "&#60;",
            "&#x3C;",
            "mailto:",
        ),
    ]
)
TEXTS = st.lists(st.one_of(HOSTILE, st.text(max_size=12)), max_size=40).map("".join)
LIVE = re.compile(r"<[!@#&\\]|(&lt;|&#0*60;|&#x0*3c;)[!@#&\\]|<[a-z][a-z0-9+.-]*[:&\\]|\][(\[:]", re.IGNORECASE)


def prose(blocks: list[dict[str, Any]]) -> list[str]:
    return [block["text"] for block in blocks if block["type"] == "markdown"]


def code(block: dict[str, Any]) -> str:
    return str(block["elements"][0]["elements"][0]["text"])


def read_back(blocks: list[dict[str, Any]]) -> str:
    return "".join(block["text"] if block["type"] == "markdown" else code(block) for block in blocks)


def said(text: str) -> str:
    """What Slack shows of a whole text: prose neutral, code as it is, the fences' own lines gone."""
    return "".join(one.text if one.fence else markdown.neutral(one.text) for one in markdown._pieces(text))


def squeezed(text: str) -> str:
    return "".join(text.split())


def holds(text: str) -> None:
    shown = [markdown.blocks(page) for page in markdown.pages(text)]
    for blocks in shown:
        check_blocks(blocks)
        assert sum(len(one.encode("utf-16-le")) // 2 for one in prose(blocks)) <= 12_000
        assert not [one for one in prose(blocks) if LIVE.search(one)]
    everything = [block for blocks in shown for block in blocks]
    assert squeezed(read_back(everything)) == squeezed(said(text))


@given(TEXTS)
def test_whatever_an_agent_writes_nothing_is_live_and_nothing_is_lost(text: str) -> None:
    holds(text)


@pytest.mark.long
@pytest.mark.timeout(1_800)
@settings(max_examples=100_000, deadline=None)
@given(TEXTS)
def test_of_a_hundred_thousand_texts_none_is_live_and_none_is_lost(text: str) -> None:
    holds(text)


@given(TEXTS, st.integers(200, 3_000))
@settings(max_examples=10, deadline=None)
def test_a_very_long_answer_is_whole_over_its_messages(text: str, times: int) -> None:
    holds((text * times)[:30_000])


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Hello <!channel>", "Hello <\u2060!channel>"),
        ("[our policy](https://acme.example/p)", "our policy (https://acme.example/p)"),
        ("[https://bank.com](https://evil.com)", "https://bank.com (https://evil.com)"),
        ("![a kite](https://acme.example/kite.png)", "a kite (https://acme.example/kite.png)"),
        ("[https://acme.example](https://acme.example)", "https://acme.example"),
        ("[x][1]\n\n[1]: https://evil.com", "[x]\u2060[1]\n\n[1]\u2060: https://evil.com"),
        ("<https://evil.com|https://bank.com>", "<\u2060https://evil.com|https://bank.com>"),
        ("<&#33;channel> <\\!here>", "<\u2060&#33;channel> <\u2060\\!here>"),
        ("<https&colon;//evil.com|https://bank.com>", "<\u2060https&colon;//evil.com|https://bank.com>"),
        ("a & b < c, 2*3*4, List<String>", "a & b < c, 2*3*4, List<String>"),
        ("- [ ] a task\n- [x] done", "- [ ] a task\n- [x] done"),
    ],
)
def test_what_slack_is_given_to_parse(written: str, shown: str) -> None:
    assert markdown.neutral(written) == shown


def test_code_is_shown_letter_by_letter() -> None:
    blocks = markdown.blocks("Run this:\n\n```python\nhandlers[0](event)  # <!here>\n```\n\nDone.")

    assert prose(blocks) == ["Run this:", "Done."]
    assert code(blocks[1]) == "handlers[0](event)  # <!here>"


def test_a_long_answer_is_cut_between_paragraphs() -> None:
    paragraph = "A sentence of some length about kites. " * 50
    pages = markdown.pages("\n\n".join([paragraph.strip()] * 12))

    assert len(pages) > 1
    assert all(page.startswith("A sentence") and page.endswith("kites.") for page in pages)
    assert all(len(page) % (len(paragraph.strip()) + 2) == len(paragraph.strip()) for page in pages)


def test_code_that_goes_on_in_the_next_message_is_code_there_too() -> None:
    lines = "".join(f"line {number} of the listing\n" for number in range(600))
    pages = markdown.pages(f"Here:\n\n```text\n{lines}```\n\nThat is all.")

    assert len(pages) > 1
    assert all(page.count("```") % 2 == 0 for page in pages)
    shown = [block for page in pages for block in markdown.blocks(page)]
    assert "\n".join(code(one) for one in shown if one["type"] == "rich_text") == lines.rstrip("\n")


def test_many_small_fences_stay_within_a_messages_blocks() -> None:
    pages = markdown.pages("so\n\n```\nx\n```\n\n" * 120)

    assert max(len(markdown.blocks(page)) for page in pages) <= 50


@pytest.mark.parametrize("nothing", ["", " \n\n ", "```\n```"])
def test_of_nothing_there_is_nothing_to_show(nothing: str) -> None:
    assert [block for page in markdown.pages(nothing) for block in markdown.blocks(page)] == []
