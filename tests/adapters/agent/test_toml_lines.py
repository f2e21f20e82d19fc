"""Where a word of a definition file stands."""

import tomllib

import pytest
from hypothesis import given, strategies as st

from adapters.agent.server.toml_lines import line_of

TEXT = '''\
a = 1
b.c = 2
m = """
[t]
x = 1"""
# [[t]]
[[t]]
x = "x = 9"
[[t]]
x = \'\'\'
y = 4\'\'\'
[t.sub]
y = 1
[[t.sub.deep]]
z = 1
[[t.sub.deep]]
z = 2
[[t]]
"quoted key" = 1
list = [{k = 1},
  {k = 2},
  {j = 3, k = 3}]
'''


def test_the_text_is_one() -> None:
    assert tomllib.loads(TEXT)["t"][2]["list"][2] == {"j": 3, "k": 3}


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("a",), 1),
        (("b", "c"), 2),
        (("t",), 7),
        (("t", 0, "x"), 8),
        (("t", 1), 9),
        (("t", 1, "x"), 10),
        (("t", 1, "y"), 9),
        (("t", 1, "sub", "y"), 13),
        (("t", 1, "sub", "deep", 1, "z"), 17),
        (("t", 1, "sub", "nothing"), 12),
        (("t", 2, "quoted key"), 19),
        (("t", 2, "list", 1, "k"), 21),
        (("t", 2, "list", 2, "k"), 22),
        (("t", 2, "list", 2, "nothing"), 22),
        (("nowhere",), None),
        ((), None),
    ],
)
def test_a_word_is_found_where_it_stands(path: tuple[str | int, ...], line: int | None) -> None:
    assert line_of(TEXT, path) == line


@given(st.text(alphabet="a.=[]{}'\"#\n1\\ ", max_size=60), st.lists(st.sampled_from(["a", "aa", 0, 1]), max_size=4))
def test_a_line_is_one_of_the_text(text: str, path: list[str | int]) -> None:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    line = line_of(text, path)
    assert line is None or 1 <= line <= text.count("\n") + 1
