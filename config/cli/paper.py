"""Pages for people: readable on a phone and on paper, complete in one file. Pure: values in, text out.

No script, no address, everything escaped; what hides in a text is spelled out.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from config.cli.show import visible, when

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 60rem; margin: 0 auto;
  padding: 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #bbb; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .25rem 1rem; margin: 0; }
dt { color: #555; } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: #f4f4f4; padding: .5rem; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .5rem; border: 1px solid #ccc;
  overflow-wrap: anywhere; min-width: 4rem; }
.broken { color: #a00; font-weight: bold; }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr; } dd { margin-bottom: .5rem; } }
@media print { body { max-width: none; padding: 0; font-size: 10pt; } .wide { overflow: visible; }
  tr, pre { break-inside: avoid; } table { font-size: 7pt; } }
"""


def document(title: str, parts: Iterable[str]) -> str:
    """`title` and `parts` are HTML already; empty parts are left out."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{title}</title>\n<style>{STYLE}</style></head>\n<body>\n" + "\n".join(filter(None, parts)) + "\n"
        "</body></html>\n"
    )


def section(head: str, body: str) -> str:
    return f"<section><h2>{safe(head)}</h2>\n{body}\n</section>"


def facts(told: Mapping[str, Any]) -> str:
    return "<dl>" + "".join(f"<dt>{_name(name)}</dt><dd>{cell(value)}</dd>" for name, value in told.items()) + "</dl>"


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th>{_name(name)}</th>" for name in rows[0])
    body = "".join("<tr>" + "".join(f"<td>{cell(value)}</td>" for value in row.values()) + "</tr>\n" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def block(value: object) -> str:
    return f"<pre>{safe(value if isinstance(value, str) else _json(value))}</pre>"


def cell(value: object) -> str:
    match value:
        case None | "":
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return when(value)
        case str() | int():
            return safe(str(value))
        case _:
            return f"<pre>{safe(_json(value))}</pre>"


def _name(name: str) -> str:
    return safe(name.replace("_", " "))


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def safe(text: str) -> str:
    return escape(visible(text, keep="\n\t"))
