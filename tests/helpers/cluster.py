"""A PostgreSQL of a test's own with TLS, as a platform gives it: one plain role with few connections."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.helpers.process import free_port

CONNECTIONS = 20
ACCESS = """
local all postgres trust
hostssl all all 127.0.0.1/32 scram-sha-256
"""


@dataclass(frozen=True)
class Cluster:
    """`url` as Heroku gives it; `outside` is for looking on: it counts as nobody's connection."""

    url: str
    outside: str

    def connections(self) -> int:
        question = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'gatehouse'"
        with psycopg.connect(self.outside) as connection:
            row = connection.execute(question).fetchone()
        assert row is not None
        return int(row[0])


@contextlib.contextmanager
def own_cluster() -> Iterator[Cluster]:
    """Only TLS is let in. A machine that cannot make one skips, CI fails."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="gatehouse-"))  # PostgreSQL's user may not go below pytest's
    try:
        _certificate(folder)
        _owned(folder)
        data, port = folder / "data", free_port()
        _run([programs / "initdb", "-A", "trust", "-U", "postgres", "--no-sync", "-D", data])
        (data / "pg_hba.conf").write_text(ACCESS)
        tls = f"-c ssl=on -c ssl_cert_file={folder}/server.crt -c ssl_key_file={folder}/server.key"
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off {tls}"
        _run([programs / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start"])
        try:
            yield _with_role(folder, port)
        finally:
            _run([programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"])
    finally:
        shutil.rmtree(folder)


def _with_role(folder: Path, port: int) -> Cluster:
    outside = f"host={folder} port={port} user=postgres dbname=postgres"
    with psycopg.connect(outside, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE gatehouse LOGIN PASSWORD 'a-password' CONNECTION LIMIT {CONNECTIONS}")
        connection.execute("CREATE DATABASE gatehouse OWNER gatehouse")
    return Cluster(f"postgres://gatehouse:a-password@127.0.0.1:{port}/gatehouse", outside)


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    missing = "no PostgreSQL programs in /usr/lib/postgresql" if not found else ""
    missing = missing or next((f"no {needed}" for needed in _needed() if not shutil.which(needed)), "")
    if missing and os.environ.get("CI"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)
    return found[-1].parent


def _needed() -> Sequence[str]:
    return ("openssl", "runuser") if os.geteuid() == 0 else ("openssl",)


def _certificate(folder: Path) -> None:
    words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    made = ["openssl", *words, "-keyout", folder / "server.key", "-out", folder / "server.crt"]
    subprocess.run(made, check=True, capture_output=True)
    (folder / "server.key").chmod(0o600)


def _owned(folder: Path) -> None:
    """PostgreSQL does not run as root."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        for path in (folder, *folder.iterdir()):
            os.chown(path, user.pw_uid, user.pw_gid)


def _run(command: Sequence[str | Path]) -> None:
    as_them = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    with tempfile.TemporaryFile() as said:  # a pipe would be kept open by the server that pg_ctl starts
        done = subprocess.run([*as_them, *command], stdout=said, stderr=said, cwd="/", check=False)
        said.seek(0)
        assert done.returncode == 0, said.read().decode(errors="replace")
