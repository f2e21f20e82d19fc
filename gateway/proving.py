"""Proves the audit's chain: reads it in its order, some thousand links at a time, and changes nothing."""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from gateway.store import Store, seals
from gateway.verifying import Break, Chain, Head, Link, moved

PAGE = 2000
BEFORE_ALL = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a look at the whole chain found. `links` counts those that hold; `heads` those it was compared with."""

    whole: bool
    broken: Break | None
    links: int
    head: str
    heads: int
    unsealed: int
    oldest_unsealed: datetime | None


async def verify(store: Store, given: Iterable[Head] = (), *, tell: Callable[[int], None] = lambda _: None) -> Verified:
    """Follow the chain to its end or its first broken link. `given`: heads that somebody kept outside.

    `tell` hears now and then how far it is. Rows that are written meanwhile do no harm.
    """
    heads = [*await store.read(seals.heads), *given]
    chain = Chain(heads)
    broken = await _follow(store, chain, tell)
    tail = await store.survey(seals.tail)
    return Verified(
        whole=broken is None,
        broken=broken,
        links=chain.n,
        head=chain.hash,
        heads=len(heads),
        unsealed=tail.rows,
        oldest_unsealed=tail.oldest,
    )


async def _follow(store: Store, chain: Chain, tell: Callable[[int], None]) -> Break | None:
    async for link in _links(store):
        broken = chain.follow(link)
        if broken is not None:
            return await _better(store, chain, link, broken)
        if link.n % PAGE == 0:
            tell(link.n)
    return chain.end()


async def _links(store: Store) -> AsyncIterator[Link]:
    async def page_after(n: int) -> list[Link]:
        return await store.survey(lambda db: seals.links(db, n, PAGE))

    page = await page_after(-BEFORE_ALL)  # what stands before the first place is seen too
    while page:
        for link in page:
            yield link
        page = await page_after(page[-1].n)


async def _better(store: Store, chain: Chain, link: Link, broken: Break) -> Break:
    """A row that does not fit may be another row's: that one is looked for, this once."""
    if broken.what != "changed":
        return broken

    async def page_after(audit_id: int) -> list[tuple[int, str]]:
        return await store.survey(lambda db: seals.texts(db, audit_id, PAGE))

    page = await page_after(0)
    while page:
        if (found := moved(broken, chain.hash, link.hash, page)) is not None:
            return found
        page = await page_after(page[-1][0])
    return broken
