"""An agent's Markdown -> pages that fit a message, and a page -> blocks. Pure. Nothing in it is a mention or a mask.

Slack parses standard Markdown itself in a `markdown` block; whether it also reads `<!channel>` there is not documented,
so it is assumed: https://docs.slack.dev/reference/block-kit/blocks/markdown-block
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from adapters.slack.parts import Block, preformatted

MAX_PAGE = 7_500  # UTF-16 units; neutral it is at most half as long again, and a message's markdown may have 12,000
MAX_FENCES = 20  # in one page: a message has 50 blocks
MAX_CODE = 2_900  # in one block

JOINER = "\u2060"  # nobody sees it, and no markup goes across it
# Markdown reads "&#33;" and "\!" as "!" too, so an entity or an escape may stand for any of these.
LIVE = re.compile(r"(<|&lt;|&#0*60;|&#x0*3c;)(?=[!@#&\\]|[a-z][a-z0-9+.-]*[:&\\])", re.IGNORECASE)
LINK = re.compile(r"(?<![\\\]])!?\[([^\[\]\n]+)\]\((https?://[^\s()<>]+)\)")
LABEL_ENDS = re.compile(r"\](?=[(\[:])")
FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")


@dataclass(frozen=True, slots=True)
class Piece:
    """Prose, or what stands in a fence (without it)."""

    text: str
    fence: str = ""  # its opening line


def pages(text: str) -> list[str]:
    """The text in parts that `blocks` takes, cut between paragraphs where it can be; a fence is closed and reopened."""
    found, page, size, fences = list[str](), "", 0, 0
    for piece in _pieces(text.strip("\n")):
        for part in _cut(piece):
            written, opens = _written(part), bool(part.fence)
            if page and (size + _units(written) > MAX_PAGE or fences + opens > MAX_FENCES):
                found.append(page.strip("\n"))
                page, size, fences = "", 0, 0
            page += written
            size += _units(written)
            fences += opens
    return [one for one in [*found, page.strip("\n")] if one.strip()]


def blocks(page: str) -> list[Block]:
    """What shows a page: prose that Slack parses, and code that nobody parses."""
    found = list[Block]()
    for piece in _pieces(page):
        if not piece.text.strip():
            continue
        if piece.fence:
            found += [preformatted(part.strip("\n") or " ") for part in _lines(piece, MAX_CODE)]
        else:
            found.append({"type": "markdown", "text": neutral(piece.text).strip("\n")})
    return found


def neutral(prose: str) -> str:
    """Markdown in which nothing pings anybody and every link shows where it leads."""
    shown = LINK.sub(lambda link: link[2] if link[1] == link[2] else f"{link[1]} ({link[2]})", prose)
    shown = LABEL_ENDS.sub("]" + JOINER, shown)
    return LIVE.sub(lambda opening: opening[1] + JOINER, shown)


def settled(text: str) -> str:
    """The beginning of a growing text whose neutral form no later text can change.

    It ends with white space, which none of the patterns above goes across but a label's, so outside of an open `[`.
    """
    end = _last_space(text)
    while end:
        opened = text.rfind("[", text.rfind("\n", 0, end) + 1, end)
        if opened < 0 or "]" in text[opened:end]:
            break
        end = _last_space(text[:opened])
    return text[:end]


def _last_space(text: str) -> int:
    """Where what follows the last white space begins; 0: there is none."""
    return max(text.rfind(space) for space in " \t\n") + 1


def _pieces(text: str) -> Iterator[Piece]:
    """A fence that is never closed goes on to the end (CommonMark, 4.5)."""
    held, opening, mark = "", "", ""
    for line in text.splitlines(keepends=True):
        found = FENCE.match(line.rstrip("\n"))
        if mark and found and found[1].startswith(mark) and not line.strip().strip(mark[0]):
            yield Piece(held, opening)
            held, opening, mark = "", "", ""
        elif not mark and found:
            yield Piece(held)
            held, opening, mark = "", line.strip(), found[1]
        else:
            held += line
    yield Piece(held, opening)


def _cut(piece: Piece) -> Iterator[Piece]:
    """A piece in parts of which each fits a page."""
    room = MAX_PAGE - 2 * len(piece.fence) - 4
    if room < MAX_PAGE // 2:  # an opening line as long as that says nothing about the code
        piece, room = Piece(piece.text, piece.fence[:3]), MAX_PAGE - 10
    paragraphs = [piece.text] if piece.fence else re.split(r"(?<=\n\n)", piece.text)
    for paragraph in paragraphs:
        for part in _lines(Piece(paragraph, piece.fence), room):
            yield Piece(part, piece.fence)


def _written(part: Piece) -> str:
    if not part.fence:
        return part.text
    mark = part.fence[: len(part.fence) - len(part.fence.lstrip(part.fence[0]))]
    end = "" if part.text.endswith("\n") or not part.text else "\n"
    return f"\n{part.fence}\n{part.text}{end}{mark}\n"


def _lines(piece: Piece, most: int) -> Iterator[str]:
    """Parts of at most so many units: whole lines where they fit, else whole words, else what fits."""
    held, size = "", 0
    for line in re.findall(r"[^\n]*\n|[^\n]+", piece.text):
        for part in [line] if _units(line) <= most else _broken(line if piece.fence else neutral(line), most):
            if held and size + _units(part) > most:
                yield held
                held, size = "", 0
            held += part
            size += _units(part)
    if held:
        yield held


def _broken(line: str, most: int) -> Iterator[str]:
    """Prose was made neutral first: cut in two, a link would no longer be known for one."""
    for word in re.findall(r"\S*\s+|\S+", line):
        step = most // 2  # a character is one unit or two
        yield from [word] if _units(word) <= most else (word[at : at + step] for at in range(0, len(word), step))


def _units(text: str) -> int:
    """As JSON and JavaScript count."""
    return len(text) + sum(character > "\uffff" for character in text)
