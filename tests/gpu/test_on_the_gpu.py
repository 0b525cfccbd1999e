"""What only a GPU shows: its memory, its streams, its kernels, and two libraries on one array."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from libraries import GPUS, make_backend, skip_without_gpu

from h5flow import H5FlowStage, run
from h5flow.backends import choose_backend
from h5flow.data import H5FlowDataManager
from h5flow.data.presentation import present
from h5flow.errors import HookError

skip_without_gpu()

MakeWorkflow = Callable[..., dict[str, Any]]
ROWS = np.zeros(1001, [("flag", "?"), ("x", "f4"), ("y", "f8")])
ROWS["x"], ROWS["y"] = np.arange(1001), -np.arange(1001)


def recipe(heading: str) -> dict[str, Any]:
    """Return what the code below a heading of the page on arrays defines."""
    page = (Path(__file__).parents[2] / "docs" / "arrays.md").read_text()
    found = re.search(rf"^### {heading}$.*?^```python$\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert found is not None
    namespace: dict[str, Any] = {"__name__": "recipe"}
    exec(found[1], namespace)
    return namespace


# -- memory ----------------------------------------------------------------------------------------


def test_auto_takes_the_gpu(cupy: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert choose_backend("auto").name == "cupy:0"


@pytest.mark.parametrize("name", GPUS)
def test_pinned_memory_is_kept_for_the_next_chunk(name: str) -> None:
    backend: Any = make_backend(name)
    backend.upload([np.zeros(1000)])
    first = backend._pinned
    for size in (10, 1000, 999):
        (x,) = backend.upload([np.arange(size)])
        assert backend.download([x])[0].tolist() == list(range(size))
    assert backend._pinned is first


@pytest.mark.parametrize("name", GPUS)
def test_uploads_do_not_wait_for_each_others_memory(name: str) -> None:
    backend = make_backend(name)
    many = [backend.upload([np.full(100_000, number)])[0] for number in range(20)]
    assert [int(each[-1]) for each in many] == list(range(20))


@pytest.mark.parametrize("name", GPUS)
def test_out_of_memory_is_recognised(name: str) -> None:
    backend = make_backend(name)
    xp, free = backend.namespace, backend.free_bytes()
    assert free is not None
    with backend.current(), pytest.raises(Exception, match=r"(?i)out of memory") as raised:
        xp.zeros((free,), dtype=xp.float64)
    assert backend.is_out_of_memory(raised.value)
    (x,) = backend.upload([np.arange(3)])  # and the device goes on
    assert backend.download([x])[0].tolist() == [0, 1, 2]


class Greedy(H5FlowStage):
    """Wants more memory than there is."""

    def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
        self.xp.zeros((2**45,))


def test_a_stage_that_wants_too_much_is_told_to_take_smaller_chunks(
    events: Path, workflow: MakeWorkflow, device: str
) -> None:
    with pytest.raises(HookError, match="--chunk-size"):
        run(workflow(Greedy), "out.h5", str(events), backend=device)
    assert not Path("out.h5").exists()


@pytest.mark.parametrize("name", GPUS)
def test_memory_in_use_grows_with_what_is_held(name: str) -> None:
    backend = make_backend(name)
    before = backend.used_bytes()
    kept = backend.upload([np.zeros(10_000_000)])
    after = backend.used_bytes()
    assert before is not None
    assert after is not None
    assert after - before >= kept[0].shape[0] * 8


# -- kernels, DLPack, streams ---------------------------------------------------------------------

TWICE = r"""
extern "C" __global__ void twice(const float* x, float* out, long long n) {
    long long i = (long long)blockDim.x * blockIdx.x + threadIdx.x;
    if (i < n) out[i] = 2 * x[i];
}
"""


def test_a_raw_kernel_takes_a_field_of_packed_rows(cupy: Any) -> None:
    backend = make_backend("cupy")
    x = present(backend, ROWS)["x"]
    assert x.flags.c_contiguous
    out = cupy.empty_like(x)
    cupy.RawKernel(TWICE, "twice")((8,), (128,), (x, out, cupy.int64(len(ROWS))))
    assert out.get().tolist() == (2 * ROWS["x"]).tolist()


def test_a_raw_kernel_takes_the_field_of_a_single_row(cupy: Any) -> None:
    x = present(make_backend("cupy"), ROWS[7:8])["x"]
    out = cupy.empty_like(x)
    cupy.RawKernel(TWICE, "twice")((1,), (128,), (x, out, cupy.int64(1)))
    assert out.get().tolist() == [14.0]


def test_the_recipe_of_a_kernel(working_directory: Path, workflow: MakeWorkflow, cupy: Any) -> None:
    with H5FlowDataManager("in.h5") as manager:
        manager.create_dset("events", "i8")
        manager.create_dset("hits", [("id", "i1"), ("q", "f4")])
        manager.create_ref("events", "hits")
        hits = np.array([(1, 2.0), (2, 3.0), (3, 4.0)], [("id", "i1"), ("q", "f4")])
        manager.write_data("events", manager.reserve_data("events", 3), np.arange(3))
        manager.write_data("hits", manager.reserve_data("hits", 3), hits)
        manager.write_ref("events", "hits", [(0, 0), (2, 1), (2, 2)])

    class Writes(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.data_manager.create_dset("out", "f4")

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            q = cache["hits"]["q"]
            rows = self.data_manager.reserve_data("out", len(q))
            self.data_manager.write_data("out", rows, q)

    calibrate = recipe("A CUDA kernel of your own")["Calibrate"]
    more = {
        "requires": [{"name": "hits", "path": "hits", "layout": "jagged"}],
        "params": {"gain": 0.5},
    }
    run(workflow((calibrate, more), Writes), "out.h5", "in.h5", backend="cupy")
    with h5py.File("out.h5") as file:
        assert file["out/data"][:].tolist() == [2.0, 4.5, 8.0]


def test_torch_takes_the_rows_of_cupy_without_a_copy(cupy: Any, torch: Any) -> None:
    x = present(make_backend("cupy"), ROWS)["x"]
    tensor = torch.from_dlpack(x)
    assert tensor.data_ptr() == x.data.ptr
    tensor *= 2
    assert float(x[10]) == 20
    assert cupy.from_dlpack(tensor).data.ptr == x.data.ptr


def test_torch_inside_of_a_workflow_on_cupy(
    events: Path, workflow: MakeWorkflow, cupy: Any, torch: Any
) -> None:
    infer = recipe("PyTorch inside of a CuPy workflow")["infer"]

    class Model(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.data_manager.create_dset("out", "f4")

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            out = infer(lambda x: torch.relu(x - 2), cache[source_name]["x"])
            assert isinstance(out, cupy.ndarray)
            rows = self.data_manager.reserve_data("out", len(out))
            self.data_manager.write_data("out", rows, out)

    run(workflow(Model), "out.h5", str(events), backend="cupy")
    with h5py.File("out.h5") as file:
        assert file["out/data"][:].tolist() == [max(0, number / 2 - 2) for number in range(10)]


def test_work_on_another_stream_is_awaited(events: Path, workflow: MakeWorkflow, cupy: Any) -> None:
    on_a_stream = recipe("Streams")["on_a_stream"]

    class Elsewhere(H5FlowStage):
        def init(self, source_name: str) -> None:
            self.data_manager.create_dset("out", "f8")
            self.stream = cupy.cuda.Stream(non_blocking=True)

        def run(self, source_name: str, source_slice: slice, cache: dict[str, Any]) -> None:
            def work(x: Any) -> Any:
                busy = cupy.ones((2000, 2000))
                for _ in range(30):
                    busy = busy @ busy / 2000
                return x + busy[0, 0]

            out = on_a_stream(self.stream, work, cache[source_name]["x"].astype("f8"))
            rows = self.data_manager.reserve_data("out", len(out))
            self.data_manager.write_data("out", rows, out)

    run(workflow(Elsewhere), "out.h5", str(events), backend="cupy")
    with h5py.File("out.h5") as file:
        np.testing.assert_allclose(file["out/data"][:], np.arange(10) / 2 + 1)


def test_what_is_queued_when_a_stage_ends_is_awaited(cupy: Any) -> None:
    backend = make_backend("cupy")
    with backend.current():
        busy = cupy.ones((4000, 4000))
        for _ in range(20):
            busy = busy @ busy / 4000
        event = cupy.cuda.get_current_stream().record()
    assert event.done
