"""An agent's Markdown as somebody reads it on a phone."""

import html
import re
import time
import unicodedata
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from adapters.sms.plain import MOST, plain


@pytest.mark.parametrize(
    ("markdown", "read"),
    [
        ("**Hi** _there_, ***you***", "Hi there, you"),
        ("Fish &amp; chips &copy; &#169;", "Fish & chips © ©"),
        ("a `x*y*` b", "a x*y* b"),
        ("two\nlines\\\nand  \na third", "two\nlines\nand\na third"),
        ("# Title\ntext\n\nSub\n---\nmore", "Title\ntext\n\nSub\nmore"),
        ("above\n\n---\n\nbelow", "above\n\nbelow"),
        ("> said\n> twice\n>\n> and again", "> said\n> twice\n>\n> and again"),
        ("> a\n>> b", "> a\n>\n> > b"),
        ("```python\nx = 1\n\n  y = `2`\n```\nthen", "x = 1\n\n  y = `2`\n\nthen"),
        ("```run it twice\nx\n```", "run it twice\nx"),
        ("~~~\nnever closed", "never closed"),
    ],
)
def test_marks_go_and_words_stay(markdown: str, read: str) -> None:
    assert plain(markdown) == read


@pytest.mark.parametrize(
    ("markdown", "read"),
    [
        ("[the page](https://a.example/x?y=1&z=2)", "the page (https://a.example/x?y=1&z=2)"),
        ("[https://a.example](https://a.example)", "https://a.example"),
        ("[a.example](https://a.example/)", "https://a.example/"),
        ("<https://a.example/ä b> <https://a.example>", "<https://a.example/ä b> https://a.example"),
        ("[Call us](tel:+15550001111)", "Call us (+15550001111)"),
        ("[+1 (555) 000-1111](tel:+15550001111)", "+15550001111"),
        ("[Write](mailto:a@b.example) or <a@b.example>", "Write (a@b.example) or a@b.example"),
        ("[**bold** label](http://a.example)", "bold label (http://a.example)"),
        ('[label](http://a.example "title")', "label (http://a.example, title)"),
        ("![a map](https://a.example/m.png)", "a map (https://a.example/m.png)"),
        ("![](https://a.example/m.png)", "https://a.example/m.png"),
        ("[![map](http://i.example)](http://a.example)", "map (http://i.example) (http://a.example)"),
        ("[bank.example](http://evil.example)", "bank.example (http://evil.example)"),
        ("[x](javascript:alert)", "[x](javascript:alert)"),
        ("[nothing]()", "nothing"),
    ],
)
def test_a_link_shows_where_it_leads(markdown: str, read: str) -> None:
    assert plain(markdown) == read


@pytest.mark.parametrize(
    ("markdown", "read"),
    [
        ("* a\n* b\n  * c\n    + d", "- a\n- b\n  - c\n    + d"),
        ("1. a\n2. b\n   - c\n3. d", "1. a\n2. b\n  - c\n3. d"),
        ("1. a\n1. b\n1. c", "1. a\n2. b\n3. c"),
        ("3. a\n5. b", "3. a\n5. b"),
        ("7) a\n8) b", "7) a\n8) b"),
        ("- [ ] open\n- [x] done", "- [ ] open\n- [x] done"),
        ("- a\n\n- b\n\n  more of b", "- a\n- b\n\n  more of b"),
    ],
)
def test_lists_keep_their_shape(markdown: str, read: str) -> None:
    assert plain(markdown) == read


@pytest.mark.parametrize(
    ("markdown", "read"),
    [
        ("| Country | Price |\n|---|---:|\n| **DE** | free |\n| FR | 4.90 |", "Country: Price\nDE: free\nFR: 4.90"),
        ("| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 |\n| 4 | | 6 |", "a: 1, b: 2, c: 3\na: 4, c: 6"),
        ("a | b | c\n--|--|--\n1, 2 | 3 | 4", "a: 1, 2; b: 3; c: 4"),
        ("| a | b | c |\n|---|---|---|\n| 1 | 2 | 3 | 4 |", "a: 1, b: 2, c: 3, 4"),
        (
            "Prices:\n| a | b |\n|---|---|\n| x \\| y | [l](http://a.example) |",
            "Prices:\na: b\nx | y: l (http://a.example)",
        ),
        ("| one |\n|---|\n| 1 |\n| 2 |", "one: 1\none: 2"),
        ("| a | b |\n|---|---|", "a: b"),
        ("> | a | b |\n> |---|---|\n> | 1 | 2 |", "> a: b\n> 1: 2"),
        ("a | b\n| --- |\nno table", "a | b\n| --- |\nno table"),
    ],
)
def test_a_row_of_a_table_is_a_line(markdown: str, read: str) -> None:
    assert plain(markdown) == read


@pytest.mark.parametrize(
    "text",
    [
        "2*3*4 = 24 and 2**3**2 = 512",
        "snake_case_name and a * b * c",
        "Use <b>bold</b> & <you@> if 1 < 2 > 0",
        "[note]: it is no reference",
        "Use __init__ and __str__",
        "See https://a.example/_next_/x?q=*y*&z=**w** now",
        "[see below] and [1] (twice)",
        "2026. A good year",
        "-5 degrees, +1 (555) 000-1111, #kites, C# and F#",
        "~~$50~~ $40",
        "A \\ B, C:\\files",
        "100% *sure",
        "***",
        "first line\nsecond line\n\nnew paragraph",
    ],
)
def test_what_was_not_meant_as_markdown_reads_as_it_was(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("in\u202evoice &#8238;x \u2066y\u2069", "invoice x y"),
        ("soft\u00adhy\u200bphen\ufeff", "softhyphen"),
        ("bell\x07 and\x00 nul\x1b[0m", "bell and nul[0m"),
        ("a\r\nb\rc\u2028d\x0ce", "a\nb\nc\nd\ne"),
        ("half \ud83d a pair", "half \ufffd a pair"),
        ("👩‍👩‍👧 ❤️ 👍🏽 🏴\U000e0067\U000e0062\U000e007f", "👩‍👩‍👧 ❤️ 👍🏽 🏴\U000e0067\U000e0062\U000e007f"),
    ],
)
def test_nothing_hides_or_reorders_what_stands_around_it(text: str, read: str) -> None:
    assert plain(text) == read


def test_what_is_nested_too_deep_for_the_parser_is_taken_as_it_is() -> None:
    quoted, listed = ">" * 200 + " hello", "\n".join("  " * depth + f"- level {depth}" for depth in range(40))

    assert plain(quoted) == quoted
    assert plain(listed) == listed
    assert "hello" in plain(">" * 20 + " hello")


MARKS = ["*", "**", "_", "`", "```\n", "[", "](", ")", "![", "<", ">", "> ", "- ", "1. ", "# ", "|", "|---|---|\n"]
MORE = [
    "\n",
    "\n\n",
    "  ",
    "    ",
    "\\",
    "&amp;",
    "~~",
    "---\n",
    "===\n",
    "[a]: ",
    "http://a.example/x_y",
    "😀",
    "\u202e",
]
WORDS = st.sampled_from(["alpha", "beta", "order", "A1001", "größe", "один", "7"])
DOCUMENTS = st.lists(st.one_of(WORDS, st.sampled_from(MARKS + MORE)), max_size=60).map("".join)


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text)


def holds(text: str, wanted: str) -> bool:
    """Every word of the second is in the first; marks between two of them may be gone (`*alpha*beta`)."""
    letters = "".join(words(text))
    return all(word in letters for word in words(wanted))


@settings(deadline=None, max_examples=300)
@given(document=DOCUMENTS)
def test_no_word_is_lost_and_none_when_it_is_read_twice(document: str) -> None:
    once = plain(document)

    assert "```" in document or holds(once, html.unescape(document))  # the name of a fence's language goes
    assert "```" in once or holds(plain(once), html.unescape(once))


@settings(deadline=None, max_examples=300)
@given(text=st.one_of(st.text(max_size=400), DOCUMENTS))
def test_whatever_it_is_it_can_be_read_and_hides_nothing(text: str) -> None:
    read = plain(text)

    assert not any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") and c != "\n" for c in read)
    assert not any(
        unicodedata.bidirectional(c) in ("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "PDI") for c in read
    )
    assert bool(read) or not words(text)


@pytest.mark.parametrize(
    "unit",
    [
        *("[", "*", "> ", ">", "- ", "_", "`", "<", "![", "[a](", "a**b ", "&", "\\", "|", "|-|\n", "1. ", "\n> "),
        *("~~~\n", "\n- ", "- \n  ", "[]", "](", "``` `", "a\n=", "![[]()", "*a_ ", "\t", "    \n", "a|b\n-|-\n"),
    ],
)
def test_a_text_made_to_keep_us_busy_takes_as_long_as_its_length(unit: str) -> None:
    def took(length: int) -> float:
        text, tries = (unit * length)[:length], []
        for _ in range(2):
            before = time.process_time()
            plain(text)
            tries.append(time.process_time() - before)
        return min(tries)

    assert took(MOST) < 40 * max(took(MOST // 8), 0.01)
    assert took(100_000) < 2


def test_a_text_that_is_longer_than_any_reply_is_taken_as_it_is() -> None:
    text = "**long** " * (MOST // 8)

    assert plain(text) == text.strip()
    assert plain("**short**") == "short"


def test_a_reply_of_nothing_is_nothing() -> None:
    blank: list[Any] = ["", " \n ", "\u200b"]
    assert [plain(one) for one in blank] == ["", "", ""]
