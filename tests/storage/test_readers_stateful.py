"""While tables are made, grown and removed, another process reads exactly what was shared."""

from __future__ import annotations

import json
import select
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from h5flow.io import chunks
from h5flow.storage.protocol import Batch, CreateTable, Write
from h5flow.storage.writer import Writer

__all__ = ["TestReaders"]

LIMIT = 30  # seconds for an answer
READER = """
import json, sys
from pathlib import Path
from h5flow.storage.single_writer import Reader

reader = None
for line in sys.stdin:
    what, *words = json.loads(line)
    answer = None
    if what == "begin":
        if reader is not None:
            reader.close()
        reader = Reader(Path(words[0]), 2)
    elif what == "reopen":
        reader.reopen(is_live=words[0])
    elif what == "refresh":
        reader.refresh(frozenset(words[0]))
    else:
        answer = {path: reader.table(path)[:].tolist() for path in words[0]}
    print(json.dumps(answer), flush=True)
"""
PATHS = [f"/{name}/data" for name in ("a", "b", "a/c")]
paths = st.sampled_from(PATHS)


class OtherProcess:
    """A process that reads, for all examples."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, *words: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        assert select.select([self.process.stdout], [], [], LIMIT)[0], "no answer in time"
        return json.loads(self.process.stdout.readline())

    def end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(timeout=LIMIT)
        self.process.stdout.close()


class Sharing(RuleBasedStateMachine):
    """A writer, a reader elsewhere, and what the file holds."""

    other: OtherProcess

    def __init__(self) -> None:
        super().__init__()
        self.small = mock.patch.object(chunks, "HDF5_CHUNK_BYTES", 64)
        self.small.start()
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name) / "file.h5"
        self.writer = Writer(path)
        self.tables: dict[str, list[int]] = {}
        self.written = 0
        self.other.ask("begin", str(path))
        self.is_new = True  # objects were made or removed, and the reader has to open it again
        self.touched: set[str] = set()

    def teardown(self) -> None:
        self.share()
        self.writer.close()
        self.folder.cleanup()
        self.small.stop()

    def numbers(self, count: int) -> list[int]:
        self.written += count
        return list(range(self.written - count + 1, self.written + 1))

    @rule(path=paths)
    def create(self, path: str) -> None:
        if path not in self.tables:
            self.writer.apply(Batch(creates=[CreateTable(path, np.dtype("i8"))]))
            self.tables[path] = []
            self.is_new = True

    @rule(path=paths, gap=st.integers(0, 20), count=st.integers(0, 40))
    def grow(self, path: str, gap: int, count: int) -> None:
        if path not in self.tables:
            return
        start, rows = len(self.tables[path]) + gap, self.numbers(count)
        stop = start + count
        write = Write(path, slice(start, stop), np.array(rows, np.int64))
        self.writer.apply(Batch(lengths={path: stop}, writes=[write]))
        self.tables[path] += [0] * gap + rows
        self.touched.add(path)

    @rule(path=paths, data=st.data())
    def update(self, path: str, data: st.DataObject) -> None:
        rows = self.tables.get(path)
        if not rows:
            return
        places = sorted(data.draw(st.sets(st.integers(0, len(rows) - 1), max_size=6)))
        values = self.numbers(len(places))
        self.writer.apply(
            Batch(writes=[Write(path, np.array(places, np.int64), np.array(values, np.int64))])
        )
        for place, value in zip(places, values, strict=True):
            rows[place] = value
        self.touched.add(path)

    @rule(path=paths)
    def delete(self, path: str) -> None:
        if path in self.tables:
            self.writer.delete(path)
            del self.tables[path]
            self.touched.discard(path)
            self.is_new = True

    @rule()
    def share(self) -> None:
        if self.is_new:
            self.writer.share()
            self.other.ask("reopen", self.writer.is_live)
        else:
            self.writer.share(sorted(self.touched))
            self.other.ask("refresh", sorted(self.touched))
        self.is_new, self.touched = False, set()
        assert self.writer.is_live
        self.read()

    @precondition(lambda self: not self.is_new and not self.touched)
    @rule()
    def read(self) -> None:
        assert self.other.ask("read", sorted(self.tables)) == self.tables


class TestReaders(Sharing.TestCase):  # type: ignore[name-defined]
    settings = settings(max_examples=30, stateful_step_count=30, deadline=None)

    @classmethod
    def setup_class(cls) -> None:
        Sharing.other = OtherProcess()

    @classmethod
    def teardown_class(cls) -> None:
        Sharing.other.end()
