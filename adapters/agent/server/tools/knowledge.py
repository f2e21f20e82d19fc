"""Full-text search over an agent's documents, kept in memory: the passages that say most about a question."""

import asyncio
import re
import sqlite3
import weakref
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache

from adapters.agent.server.definitions import Document
from adapters.agent.server.tools.call import Arguments, Call, Result

MAX_PASSAGE_CHARS = 1_000
MAX_PASSAGES = 4
MAX_WORDS = 24  # of a question
TITLE_WEIGHT = 3.0

COMMON_WORDS = """a about an and any are be by can could do does for from how i if in is it me much my of on or our
policy policies please should tell that the their there this to us was we what when where which who will with would
you your"""
COMMON = frozenset(COMMON_WORDS.split())


async def search_knowledge(call: Call, arguments: Arguments) -> Result:
    documents = call.definition.knowledge.documents
    found = await asyncio.to_thread(_find, documents, str(arguments["query"]))
    return {"documents": [{"title": title, "text": text} for title, text in found]}


def _find(documents: tuple[Document, ...], question: str) -> Sequence[tuple[str, str]]:
    return _index(documents).find(question)


@lru_cache(maxsize=32)
def _index(documents: tuple[Document, ...]) -> "Index":
    return Index(documents)


class Index:
    """May be asked from any thread."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        weakref.finalize(self, self._db.close)
        tokens = "porter unicode61 remove_diacritics 2"
        self._db.execute(f"CREATE VIRTUAL TABLE passages USING fts5(title, text, tokenize = '{tokens}')")
        rows = ((document.title, text) for document in documents for text in passages(document.text))
        self._db.executemany("INSERT INTO passages VALUES (?, ?)", rows)

    def find(self, question: str) -> Sequence[tuple[str, str]]:
        """(title, text) of the best passages, the best first; none where only a word here and there is the same."""
        terms = [f'"{word}"' for word in wanted(question)]  # quoted: never a word of the query language
        fitting = self._fitting(terms)
        if not fitting:
            return []
        ranked = self._db.execute(
            "SELECT rowid, title, text FROM passages WHERE passages MATCH ? ORDER BY bm25(passages, ?, 1.0), rowid",
            (" OR ".join(terms), TITLE_WEIGHT),
        )
        found = ((str(title), str(text)) for row, title, text in ranked if row in fitting)
        return [passage for passage, _ in zip(found, range(MAX_PASSAGES), strict=False)]

    def _fitting(self, terms: Sequence[str]) -> set[int]:
        """Passages with two of the words, or with the only one, or with one in the title."""
        seen: Counter[int] = Counter()
        for term in terms:
            seen.update(self._with(term))
        titled = {row for term in terms for row in self._with(f"title : {term}")}
        return titled | {row for row, hits in seen.items() if hits >= min(2, len(terms))}

    def _with(self, match: str) -> Iterator[int]:
        for (row,) in self._db.execute("SELECT rowid FROM passages WHERE passages MATCH ?", (match,)):
            yield int(row)


def wanted(question: str) -> Sequence[str]:
    """The words of a question that say what it is about."""
    words = re.findall(r"[^\W_]+", question.lower())
    return list(dict.fromkeys(word for word in words if word not in COMMON))[:MAX_WORDS]


def passages(text: str) -> Iterator[str]:
    """A text in pieces of about a paragraph; a heading stays with what is below it."""
    piece = ""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        for part in _cut(paragraph.strip()):
            is_new = part.startswith("#") and not _is_heading(piece)
            if piece and (is_new or len(piece) + len(part) > MAX_PASSAGE_CHARS):
                yield piece
                piece = ""
            piece = f"{piece}\n\n{part}" if piece else part
    if piece:
        yield piece


def _is_heading(piece: str) -> bool:
    return all(line.startswith("#") for line in piece.splitlines() if line.strip())


def _cut(paragraph: str) -> Iterator[str]:
    """At the end of a sentence where there is one, else between words."""
    while len(paragraph) > MAX_PASSAGE_CHARS:
        head = paragraph[:MAX_PASSAGE_CHARS]
        ends = [found.end() for found in re.finditer(r"[.!?]\s|\n", head)] or [head.rfind(" ") + 1]
        at = ends[-1] or MAX_PASSAGE_CHARS
        yield paragraph[:at].strip()
        paragraph = paragraph[at:].strip()
    yield paragraph
