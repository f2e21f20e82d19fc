"""The databases that tests are lent: what one test did, the next one never sees."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.helpers.databases import Copies

PAUSE = "INSERT INTO pauses (scope, since, by, reason) VALUES ('agent:sales', now(), 'cli:ana', '') RETURNING id"


@pytest.fixture
def lender(postgres: str, template: str) -> Iterator[Copies]:
    made = Copies(postgres, template)
    yield made
    made.close()


def test_who_is_lent_a_copy_again_finds_no_row_and_counts_from_one(lender: Copies) -> None:
    for _ in range(2):
        with lender.lent() as url, psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM pauses").fetchone() == (0,)
            assert connection.execute(PAUSE).fetchone() == (1,)


def test_a_copy_is_lent_again_and_one_that_somebody_altered_is_not(lender: Copies) -> None:
    for statement, is_lent_again in (
        ("UPDATE pauses SET reason = ''", True),
        ("ALTER TABLE turns RENAME COLUMN tokens TO gone", False),
        ("CREATE TABLE later (id INTEGER)", False),
        ("DROP INDEX gatehouse_jobs_lock", False),
        ("UPDATE alembic_version SET version_num = '9999'", False),
    ):
        with lender.lent() as url, psycopg.connect(url) as connection:
            connection.execute(statement)
        with lender.lent() as again:
            assert (again == url) is is_lent_again, statement


def test_who_is_still_connected_is_cut_off(lender: Copies) -> None:
    with lender.lent() as url:
        left = psycopg.connect(url)
        left.execute("LOCK TABLE pauses")

    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")
    left.close()
    with lender.lent() as again:
        assert again == url
