"""Offline text: what is read, how it is split, and what is refused."""

import json
import lzma
from pathlib import Path

import pytest

from shared import text


def test_the_standard_library_is_big_enough_and_split_by_name() -> None:
    library = text.standard_library()
    train, held, sealed = text.split(library.items())
    assert len(train) + len(held) + len(sealed) == len(library)
    assert sum(map(len, train)) > 5_000_000
    for apart in (held, sealed):
        assert 100_000 < sum(map(len, apart)) < 0.1 * sum(map(len, train))
    assert not set(held) & set(sealed)
    assert not [name for name in library if "site-packages" in name or "/test/" in name]


def test_the_split_does_not_move_when_a_file_is_added() -> None:
    names = [f"module_{number}.py" for number in range(200)]
    before = {name for name in names if text.held_out(name)}
    after = {name for name in [*names, "aardvark.py"] if text.held_out(name)}
    assert before == after - {"aardvark.py"}
    assert before


def test_the_hash_knows_where_documents_end() -> None:
    assert text.sha256(["ab", "c"]) != text.sha256(["a", "bc"])
    assert text.sha256(["ab", "c"]) == text.sha256(["ab", "c"])


def test_a_folder_is_read_in_order_without_readme_and_hidden_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "README.md").write_text("about")
    (tmp_path / ".hidden").write_text("no")
    (tmp_path / "b.txt").write_text("bee")
    (tmp_path / "a.bin").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "sub/c.py").write_text("sea")
    assert list(text.documents(tmp_path)) == [("b.txt", "bee"), ("sub/c.py", "sea")]


def test_json_lines_hold_strings_or_objects_also_compressed(tmp_path: Path) -> None:
    lines = json.dumps("one") + "\n" + json.dumps({"text": "two"}) + "\n"
    (tmp_path / "plain.jsonl").write_text(lines)
    (tmp_path / "small.jsonl.xz").write_bytes(lzma.compress(lines.encode()))
    assert [body for _, body in text.documents(tmp_path)] == ["one", "two", "one", "two"]
    assert [body for _, body in text.documents(tmp_path / "plain.jsonl")] == ["one", "two"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [("{", r"bad.jsonl:2: not JSON"), ("7", r'bad.jsonl:2: no "text"')],
    ids=["torn", "number"],
)
def test_a_bad_line_is_named_by_file_and_number(tmp_path: Path, line: str, sentence: str) -> None:
    (tmp_path / "bad.jsonl").write_text(f'"fine"\n{line}\n')
    with pytest.raises(SystemExit, match=sentence):
        list(text.documents(tmp_path))


def test_parquet_shards_are_read_by_their_text_column(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="parquet shards need pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"text": ["one", "two", "three"]})
    parquet.write_table(table, tmp_path / "shard.parquet", row_group_size=2)
    assert [body for _, body in text.documents(tmp_path)] == ["one", "two", "three"]
    parquet.write_table(pyarrow.table({"body": ["x"]}), tmp_path / "shard.parquet")
    with pytest.raises(SystemExit, match='no column "text"'):
        list(text.documents(tmp_path))
