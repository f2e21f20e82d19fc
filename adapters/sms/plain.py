"""An agent's Markdown -> plain text that reads well on a phone. Pure. No word of it is lost, and it raises nothing.

What only looks like Markdown reads as it was written. Nothing in the text hides or reorders what stands around it.
"""

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode

MOST = 20_000  # characters; what is longer is taken as it is, for reading it would keep everybody waiting
MOST_NESTED = 40  # tokens; the parser leaves out what lies deeper, so such a text is taken as it is
MOST_INLINE = 4_000  # characters of a paragraph; the parser's time for brackets grows with their square

# A definition that nobody refers to, and cells beyond those of a table's head, are left out by the parser: so neither
# rule is used. Struck-out words keep their tildes, or they would read as meant.
_BLOCKS = MarkdownIt("commonmark", {"html": False, "maxNesting": MOST_NESTED}).disable(["reference", "inline"])
_WORDS = MarkdownIt("commonmark", {"html": False, "maxNesting": MOST_NESTED}).disable(["reference"])
_WORDS.normalizeLink = lambda url: url  # type: ignore[method-assign]  # shown as it was written

DELIMITER = re.compile(r"\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
CELLS = re.compile(r"(?<!\\)\|")
LANGUAGE = re.compile(r"[\w.+#-]*$")  # of a fence: says nothing to a reader
MARKS = re.compile(r"[\\`*_\[\]!<&\n]")  # a line without any is its own words
ADDRESS = re.compile(r"://\S*$")
LONGEST_ADDRESS = 1_000
LINES = re.compile(r"\r\n?|[\v\f\x1c-\x1e\x85\u2028\u2029]")
# Control characters; soft hyphens and spaces of no width; whatever changes the direction of text.
HIDDEN = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)
LONE = re.compile(r"[\ud800-\udfff]")


def plain(text: str) -> str:
    """Empty only where there is nothing to see in the text."""
    text = _shown(text)
    tokens = _BLOCKS.parse(text) if len(text) <= MOST else []
    if not tokens or any(token.level >= MOST_NESTED - 2 for token in tokens):
        return text.strip()
    read = _shown(_blocks(SyntaxTreeNode(tokens).children, apart="\n\n"))
    return read.strip("\n") if read.strip() else text.strip()


def _shown(text: str) -> str:
    text = LINES.sub("\n", text).replace("\t", "    ")
    return LONE.sub("\ufffd", HIDDEN.sub("", text))


# --- blocks ------------------------------------------------------------------------------------------------


def _blocks(nodes: Sequence[SyntaxTreeNode], *, apart: str) -> str:
    """A heading stands right above what it is about."""
    text, gap = "", ""
    for node in nodes:
        if shown := _block(node):
            text += gap + shown if text else shown
            gap = "\n" if node.type == "heading" else apart
    return text


def _block(node: SyntaxTreeNode) -> str:
    match node.type:
        case "paragraph" | "heading":
            return _paragraph(node.children[0].content)
        case "bullet_list":
            return _list(node, ["+" if item.markup == "+" else "-" for item in node.children])
        case "ordered_list":
            return _list(node, _numbers(node))
        case "blockquote":
            return _indented(_blocks(node.children, apart="\n\n"), "> ", "> ")
        case "fence":
            opening = "" if LANGUAGE.match(node.info) else node.info
            return "\n".join(filter(None, [opening, node.content.rstrip("\n")]))
        case "code_block":
            return node.content.rstrip("\n")
    return ""  # a line across the page


def _list(node: SyntaxTreeNode, marks: Sequence[str]) -> str:
    tight = all(one.hidden for item in node.children for one in item.children if one.type == "paragraph")
    items = (_blocks(item.children, apart="\n" if tight else "\n\n") for item in node.children)
    return "\n".join(_indented(item, f"{mark} ", "  ") for mark, item in zip(marks, items, strict=True))


def _numbers(node: SyntaxTreeNode) -> list[str]:
    """As they were written, unless all are one and the same, which Markdown counts."""
    written = [item.info for item in node.children]
    if len(written) > 1 and len(set(written)) == 1:
        written = [str(int(written[0]) + n) for n in range(len(written))]
    return [number + item.markup for number, item in zip(written, node.children, strict=True)]


def _indented(text: str, first: str, then: str) -> str:
    lines = text.split("\n")
    rest = [(then + line if line else then.rstrip()) for line in lines[1:]]
    return "\n".join([(first + lines[0]).rstrip(), *rest])


# --- tables ------------------------------------------------------------------------------------------------


def _paragraph(content: str) -> str:
    """With a table, if one begins in it."""
    lines = content.split("\n")
    for at, line in enumerate(lines[1:], 1):
        if "|" in line and DELIMITER.match(line) and len(_cells(line)) == len(head := _cells(lines[at - 1])):
            before = [_inline("\n".join(lines[: at - 1]))] if at > 1 else []
            return "\n".join([*before, *_table(head, [_cells(row) for row in lines[at + 1 :]])])
    return _inline(content)


def _cells(line: str) -> list[str]:
    line = line.strip().removeprefix("|")
    cells = [cell.strip().replace("\\|", "|") for cell in CELLS.split(line)]
    return cells[:-1] if len(cells) > 1 and not cells[-1] else cells


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Two columns are names and what they are; of more, each value is named by its column."""
    head = [_inline(cell) for cell in head]
    shown = [[_inline(cell) for cell in row] for row in rows]
    if len(head) == 2 or not shown:
        return [": ".join(filter(None, row)) for row in [head, *shown] if any(row)]
    between = "; " if any("," in cell for row in shown for cell in row) else ", "
    return [_row(head, row, between) for row in shown if any(row)]


def _row(head: Sequence[str], row: Sequence[str], between: str) -> str:
    named = zip([*head, *[""] * len(row)], row, strict=False)
    return between.join(f"{name}: {value}" if name else value for name, value in named if value)


# --- within a line -----------------------------------------------------------------------------------------


def _inline(content: str) -> str:
    if len(content) > MOST_INLINE or not MARKS.search(content):
        return content
    tokens = _WORDS.parseInline(content)[0].children or []
    return _words(tokens).strip()


def _words(tokens: Sequence[Token]) -> str:
    text, marks, links = "", list[str](), list[tuple[int, Token]]()
    for token, then in zip(tokens, [*tokens, None][1:], strict=True):
        match token.type:
            case "em_open" | "strong_open":
                marks.append(token.markup if _is_meant(text, token, then) else "")
                text += marks[-1]
            case "em_close" | "strong_close":
                text += marks.pop()
            case "link_open":
                links.append((len(text), token))
            case "link_close":
                at, opened = links.pop()
                text = text[:at] + _with_address(text[at:], opened.attrs.get("href"), opened.attrs.get("title"))
            case "image":
                text += _with_address(token.content, token.attrs.get("src"), token.attrs.get("title"))
            case "softbreak" | "hardbreak":
                text += "\n"
            case _:
                text += token.content
    return text


def _is_meant(before: str, opened: Token, then: Token | None) -> bool:
    """The marks themselves are: in `2*3*4`, in an address that no brackets stand around, in `__init__`.

    Where no spaces are written, as in Chinese, a mark may follow a letter.
    """
    a_name = opened.markup == "__" and then is not None and re.fullmatch(r"[a-z][a-z0-9_]*", then.content)
    after_a_letter = before[-1:].isalnum() and before[-1:] < "\u2e80"
    return after_a_letter or bool(a_name) or bool(ADDRESS.search(before[-LONGEST_ADDRESS:]))


def _with_address(label: str, address: object, title: object) -> str:
    """`label (address)`; the address alone where the label says nothing else."""
    bare = re.sub(r"^(tel|mailto):", "", str(address or ""))
    if _same(label, bare):
        label, bare = bare, ""
    behind = ", ".join(filter(None, [bare, str(title or "")]))
    return f"{label} ({behind})" if label and behind else label or behind


def _same(label: str, address: str) -> bool:
    def core(text: str) -> str:
        return re.sub(r"^https?://(www\.)?|/$|[\s()-]", "", text.strip().casefold())

    return core(label) == core(address)
