"""Questions to Parquet files that are whole, damaged, or gone by the time they are opened."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pytest

from storage.archive import parquet
from storage.archive.reader import Damaged, Gone, Reader, Rows, TooLarge

SELECT = "SELECT unit, n FROM {files} WHERE unit = ?"


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.close()


def write(path: Path, first: int = 0, count: int = 5, unit: str = "p1") -> Path:
    db = parquet.connect()
    parquet.write(db, f"SELECT '{unit}' AS unit, range + {first} AS n, hash(range) AS noise FROM range({count})", path)
    db.close()
    return path


def times(reader: Reader, *paths: Path, unit: str = "p1") -> list[int]:
    return list(reader.ask("FROM found", {"found": Rows(SELECT, paths, (unit,))})["n"].tolist())


def test_rows_come_in_the_order_of_the_files_and_of_each(reader: Reader, tmp_path: Path) -> None:
    one, other = write(tmp_path / "a.parquet", 10), write(tmp_path / "b.parquet", 0)
    assert times(reader, one, other) == [10, 11, 12, 13, 14, 0, 1, 2, 3, 4]
    assert times(reader, one, unit="nobody") == []


def test_files_and_arrays_are_asked_together(reader: Reader, tmp_path: Path) -> None:
    rows = {
        "a": Rows(SELECT, [write(tmp_path / "it's a.parquet", 5)], ("p1",)),
        "b": Rows(SELECT, [write(tmp_path / "b.parquet")], ("p1",)),
    }
    tables = {"c": {"unit": np.array(["p1", "p2"], dtype=object), "n": np.array([100, 200])}}
    each = " UNION ALL ".join(f"SELECT unit, n FROM {name}" for name in (*rows, *tables))
    assert reader.ask(f"SELECT sum(n) AS s FROM ({each})", rows, tables)["s"].tolist() == [10 + 35 + 300]
    assert reader.ask("SELECT sum(n) AS s FROM c", {}, tables)["s"].tolist() == [300]


def test_a_file_that_is_gone_is_told_from_a_damaged_one(reader: Reader, tmp_path: Path) -> None:
    good = write(tmp_path / "good.parquet")
    with pytest.raises(Gone) as gone:
        times(reader, good, tmp_path / "gone.parquet")
    assert gone.value.path.name == "gone.parquet"
    assert reader.damaged == {}
    bad = write(tmp_path / "bad.parquet", count=5000)
    bad.write_bytes(bad.read_bytes()[:-100])
    with pytest.raises(Damaged, match=r"^bad\.parquet cannot be read: ") as damaged:
        times(reader, good, bad)
    assert damaged.value.path == bad
    assert str(tmp_path) not in str(damaged.value)
    assert list(reader.damaged) == [bad]
    write(bad, 7, 1)
    assert times(reader, bad, good) == [7, 0, 1, 2, 3, 4]
    assert reader.damaged == {}


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(1000) + b"PAR1", b"no table at all" * 100])
def test_what_is_no_table_is_damaged(reader: Reader, tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "bad.parquet"
    bad.write_bytes(content)
    with pytest.raises(Damaged):
        times(reader, bad)


def test_a_table_of_something_else_is_damaged(reader: Reader, tmp_path: Path) -> None:
    db = parquet.connect()
    parquet.write(db, "SELECT 1 AS other", tmp_path / "other.parquet")
    db.close()
    with pytest.raises(Damaged, match="unit"):
        times(reader, write(tmp_path / "good.parquet"), tmp_path / "other.parquet")


def test_a_question_that_is_wrong_is_nobodys_fault(reader: Reader, tmp_path: Path) -> None:
    rows = {"found": Rows(SELECT, [write(tmp_path / "good.parquet")], ("p1",))}
    with pytest.raises(duckdb.Error):
        reader.ask("SELECT nothing FROM found", rows)
    assert reader.damaged == {}


def test_memory_has_a_bound(reader: Reader, tmp_path: Path) -> None:
    path = write(tmp_path / "large.parquet", count=1_000_000)
    small = Reader(tmp_path, memory="20MB")
    with pytest.raises(TooLarge):
        small.ask("SELECT noise, count(*) AS n FROM a GROUP BY noise", {"a": Rows("FROM {files}", [path])})
    small.close()
    assert list(tmp_path.iterdir()) == [path], "nothing is written beside"


@pytest.mark.parametrize(
    "query", ["SELECT * FROM read_text('/etc/hostname')", "SELECT * FROM read_parquet('https://127.0.0.1/a.parquet')"]
)
def test_nothing_is_read_beside_the_folder(reader: Reader, query: str) -> None:
    with pytest.raises(duckdb.Error):
        reader.ask(query, {})


def test_many_threads_ask_at_once(reader: Reader, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.parquet", n) for n in range(4)]
    found: list[list[int]] = [[] for _ in paths]

    def ask(n: int) -> None:
        for _ in range(20):
            found[n] = times(reader, paths[n])

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[n, n + 1, n + 2, n + 3, n + 4] for n in range(4)]


def test_a_closed_reader_opens_again(reader: Reader, tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", 3, 1)
    reader.open()
    reader.close()
    assert times(reader, path) == [3]
