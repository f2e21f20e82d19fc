"""`bench/audit`: rows sealed and verified a second, beside a chain by hand. Prints; judges nothing."""

import argparse
import asyncio
import hashlib
import json
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from bench import audit_by_hand, disk
from bench.engine import SIDES, database, postgres_version, some
from gateway import proving
from gateway.digests import canonical
from gateway.store import Store, Tx, seals
from gateway.store.sql import table
from gateway.store.tables import AuditRow
from gateway.verifying import START, follows, text_of

AT = datetime(2026, 11, 21, tzinfo=UTC)
PAGE = 5000
BATCH = 250  # as the sealer takes them


def main() -> None:
    parser = argparse.ArgumentParser(
        "bench/audit", description="Seals and verifies an audit on SQLite and PostgreSQL, beside a chain by hand."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    parser.add_argument("--database", action="append", choices=SIDES, help="only this database")
    parser.add_argument("--rows", type=some, default=100_000, help="how many (100000)")
    parser.add_argument("--folder", type=Path, default=Path("var"), help="where the SQLite file is made (var)")
    wanted = parser.parse_args()
    wanted.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=wanted.folder) as folder:
        found = asyncio.run(_measure(wanted, Path(folder).resolve()))
    print(json.dumps(found, indent=2) if wanted.json else _page(found))


async def _measure(wanted: argparse.Namespace, folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"machine": disk.machine(), "rows": wanted.rows, "memory": _in_memory(wanted.rows)}
    for side in wanted.database or SIDES:
        if side == "sqlite" or postgres_version() is not None:
            with database(side, folder) as url:
                found[side] = await _of(url, wanted.rows)
    return found


def _rows(count: int) -> Iterator[dict[str, Any]]:
    """As a decision writes them."""
    facts = {"digest": "a" * 64, "proof": "platform", "verdict": "approve", "via": "slack"}
    for number in range(count):
        yield {
            "at": AT + timedelta(seconds=number),
            "what": "decided",
            "conversation_id": number // 5,
            "approval_id": f"approval-{number // 5:016}",
            "who": "slack:0123456789abcdef",
            "facts": canonical(facts | {"n": number}),
        }


def _in_memory(count: int) -> dict[str, float]:
    """The hashes alone over texts that are there, and the texts made and hashed; no database."""
    rows = [{"id": number, **row} for number, row in enumerate(_rows(count), start=1)]
    texts = [text_of(row) for row in rows]
    before = time.perf_counter()
    for text in texts:
        hashlib.sha256(text.encode()).hexdigest()
    plain = time.perf_counter() - before
    before, link = time.perf_counter(), START
    for row in rows:
        link = follows(link, text_of(row))
    return {"sha256_s": plain, "chain_s": time.perf_counter() - before}


async def _of(url: str, count: int) -> dict[str, float]:
    store = Store(url)
    try:
        await _fill(store, count)
        before, last = time.perf_counter(), 0
        while (sealed := await store.write(lambda tx, last=last: seals.seal(tx, last, BATCH))) is not None:  # type: ignore[misc]
            last = sealed.last
        seal_s, before = time.perf_counter() - before, time.perf_counter()
        found = await proving.verify(store)
        verify_s = time.perf_counter() - before
    finally:
        await store.aclose()
    assert found.whole
    assert found.links == count
    return {"seal_s": seal_s, "verify_s": verify_s, **audit_by_hand.measured(url, BATCH)}


async def _fill(store: Store, count: int) -> None:
    rows = list(_rows(count))
    for start in range(0, count, PAGE):

        async def deed(tx: Tx, start: int = start) -> None:
            await (await tx.db.connection()).execute(insert(table(AuditRow)), rows[start : start + PAGE])

        await store.write(deed)


def _page(found: dict[str, Any]) -> str:
    machine, count, plain = found["machine"], found["rows"], found["memory"]["sha256_s"]
    lines = [
        f"machine: {machine['cores']} cores, load {machine['load']} before, Python {machine['python']}",
        f"{count} audit rows",
        "",
        f"{'':34}{'s':>8}{'rows/s':>10}{'x by hand':>11}",
        _line("SHA-256 over the texts, in memory", plain, count),
        _line("the chain, in memory", found["memory"]["chain_s"], count),
    ]
    for side in SIDES:
        for what in ("seal", "verify") if side in found else ():
            ours, by_hand = found[side][f"{what}_s"], found[side][f"hand_{what}_s"]
            lines.append(_line(f"{side}: {what}, by hand", by_hand, count))
            lines.append(_line(f"{side}: {what}", ours, count) + f"{ours / by_hand:11.1f}")
    return "\n".join(lines)


def _line(name: str, seconds: float, count: int) -> str:
    return f"{name:34}{seconds:8.2f}{count / seconds:10.0f}"


if __name__ == "__main__":
    main()
