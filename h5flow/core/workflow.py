"""One workflow on one output: builds the parts, then init, loop and finish."""

from __future__ import annotations

import os
import time
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

from h5flow.config.workflow import GeneratorSpec, StageSpec, Workflow
from h5flow.core.cache import CacheLoader
from h5flow.core.component import Component, Surroundings
from h5flow.core.hooks import Hooks, Where
from h5flow.core.keeping import Keeper
from h5flow.core.loop import LoopResult, PlannedStage, plan_stages, run_loop
from h5flow.core.output import OpenOutput
from h5flow.core.parts import Parts, Spec, build_parts
from h5flow.core.preparation import Preparation, prepare
from h5flow.core.ranks import open_channel
from h5flow.core.request import RunRequest
from h5flow.core.seating import Seating
from h5flow.data.layout import clean_name, data_path
from h5flow.data.linked_tables import LinkedTables
from h5flow.errors import (
    ConfigError,
    H5FlowError,
    H5FlowWarning,
    Problem,
    UsageError,
    did_you_mean,
)
from h5flow.events import ConfigFinished, ConfigStarted, Observer, ignore_event
from h5flow.modules.dataset_loop import H5FlowDatasetLoopGenerator

if TYPE_CHECKING:
    from h5flow.core.checkpoints import Saver
    from h5flow.core.skipping import Skipping
    from h5flow.journal.provenance import RunRecord

__all__ = ["H5FlowManager"]

STEPS = ("init", "run", "finish")


def open_output(prepared: Preparation, observe: Observer) -> OpenOutput:
    """Open the output of a run. Collective."""
    request = prepared.request
    return OpenOutput(prepared.plan, prepared.channel, observe, strict=request.strict)


def _prepare_alone(request: RunRequest) -> Preparation:
    """Prepare a run that is no command's."""
    channel = open_channel(request.comm, request.stall_timeout)
    try:
        return prepare(request, channel)
    except BaseException:
        channel.close()
        raise


class H5FlowManager:
    """Runs one workflow: ``init()``, ``run()``, ``finish()``, in this order.

    Parameters
    ----------
    config : str, dict or Workflow
        A workflow file or its content.
    output_filename : str
        The file that is made, or added to; it appears when `finish` has ended.
    input_filename : str, optional
        The file whose rows a dataset loop copies, or that a generator reads.
    start_position, end_position : int, optional
        Rows of the source, half open.
    compression : str, optional
        The filter of new datasets.
    prepared, position, output, observe, saver : optional
        Given by `h5flow.run`, which runs several workflows on one output.

    Attributes
    ----------
    data_manager : H5FlowDataManager
    generator : H5FlowGenerator
    stages : list of H5FlowStage

    Raises
    ------
    UsageError
        The arguments or the workflow are wrong (`ConfigError`); nothing was created.
    HookError
        A class cannot be constructed; what was created is removed.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | Mapping[str, Any] | Workflow,
        output_filename: str | os.PathLike[str] | None,
        input_filename: str | os.PathLike[str] | None = None,
        start_position: int | None = None,
        end_position: int | None = None,
        compression: str | None = None,
        *,
        prepared: Preparation | None = None,
        position: int = 0,
        output: OpenOutput | None = None,
        observe: Observer = ignore_event,
        saver: Saver | None = None,
    ) -> None:
        self._observe = observe
        self._begin = time.perf_counter()
        prepared = prepared or _prepare_alone(
            RunRequest(
                configs=(config if isinstance(config, Mapping | Workflow) else os.fspath(config),),
                output=None if output_filename is None else os.fspath(output_filename),
                input=None if input_filename is None else os.fspath(input_filename),
                start=start_position,
                end=end_position,
                compression=compression,
            )
        )
        self._request = prepared.request
        self._channel = prepared.channel
        self._planned = prepared.planned[position]
        self.workflow = self._planned.workflow
        self._input = prepared.input_of(position)
        self._record = prepared.records[position]
        source = self.workflow.generator.dset_name
        self._keeper = Keeper(saver, position, self._channel, source)
        self._result = self._keeper.done
        self._done: list[str] = []
        self._owns_output = output is None
        self._output = output or open_output(prepared, observe)
        if self._owns_output:
            # A manager that is given up leaves nothing behind.
            weakref.finalize(self, self._output.discard)
        self._tables = LinkedTables(
            self._output.rendezvous, compression or self.workflow.compression
        )
        self._hooks = Hooks(self._tables, observe)
        self.data_manager = self._output.data_manager(self._tables)
        self._seating: Seating = self._or_discard(
            lambda: Seating(self._request, self.workflow, self._channel)
        )
        self._parts: Parts = self._or_discard(lambda: build_parts(self._planned, self._construct))
        self.generator = self._parts.generator
        self.stages = list(self._parts.stages)

    def init(self) -> None:
        """Call ``init`` of resources, generator and stages. Collective."""
        self._begin_step("init")
        if not self._keeper.is_finished:
            self._or_discard(self._init if self._keeper.start is None else self._init_again)
        parts, seconds = self._all_parts(), self._seconds
        self._or_discard(lambda: self._keeper.after_init(self._hooks, parts, seconds))

    def run(self) -> None:
        """Loop over the source. Collective."""
        self._begin_step("run")
        source = self.generator.dset_name
        loader = CacheLoader(self._tables, source, strict=self._request.strict)
        specs = self.workflow.stages
        backends = [self._seating.of(spec) for spec in specs]
        if not all(backend.is_host for backend in backends):
            from h5flow.data.device_results import DeviceResults

            overwritten = self._tables.rendezvous.catalogue.overwritten
            self._tables.results = DeviceResults(overwritten)
        planned = plan_stages(self.stages, [spec.requires for spec in specs], backends)
        if not self._keeper.is_looped:
            self._result = self._or_discard(lambda: self._loop(planned, loader))
            self._or_discard(self._refuse_all_skipped)
            self._or_discard(lambda: self._keeper.after_loop(self._result))
        self._tables.results = None  # nobody reads what `finish` leaves on a device

    def finish(self) -> None:
        """Call ``finish`` of generator, stages and resources, and drop datasets. Collective.

        A manager that opened its output itself publishes it.
        """
        self._begin_step("finish")
        self._or_discard(self._finish)

    @property
    def record(self) -> RunRecord:
        """What is recorded about this workflow in the output."""
        return replace(self._record, **self.outcome())

    def outcome(self) -> dict[str, Any]:
        """Return how far the loop went: chunks, rows, what was skipped, and seconds."""
        result = self._result
        return {
            "chunks": result.chunks,
            "rows": result.rows,
            "skipped": result.skipped,
            "seconds": self._seconds(),
        }

    def _seconds(self) -> float:
        return self._earlier() + time.perf_counter() - self._begin

    def _earlier(self) -> float:
        start = self._keeper.start
        return 0.0 if start is None else start.seconds

    def _begin_step(self, step: str) -> None:
        """Refuse a step that is out of turn: a loop without init would silently do nothing."""
        if [*self._done, step] != list(STEPS[: len(self._done) + 1]):
            done = ", ".join(f"{name}()" for name in self._done) or "nothing"
            raise UsageError(
                f"{step}() of a workflow is out of turn: {done} has been called",
                advice="Call init(), run() and finish(), each once; for another run make another "
                "manager.",
            )
        self._done.append(step)

    def _or_discard(self, work: Callable[[], Any]) -> Any:
        """Do a part of the run; where it fails, remove a working file that is our own."""
        try:
            return work()
        except BaseException as error:
            try:
                self._channel.fail(error)
            finally:
                if self._owns_output:
                    self._output.discard()
                    self._channel.close()
            raise

    def _construct(self, spec: Spec, cls: type[Any], arguments: dict[str, Any]) -> Any:
        arguments["data_manager"] = self.data_manager
        if not isinstance(spec, StageSpec):
            arguments["input_filename"] = self._input
            arguments["start_position"] = self._request.start
            arguments["end_position"] = self._request.end
        if isinstance(spec, GeneratorSpec):
            arguments["dset_name"] = spec.dset_name
            if self._request.chunk_size and issubclass(cls, H5FlowDatasetLoopGenerator):
                arguments["chunk_size"] = self._request.chunk_size
        name, linked = arguments["name"], None
        if isinstance(spec, GeneratorSpec):
            requires = [each for stage in self.workflow.stages for each in stage.requires]
            if requires:
                from h5flow.core.linked_bytes import LinkedBytes

                linked = LinkedBytes(self._tables, spec.dset_name, requires)
        around = Surroundings(
            self._channel.communicator.handle, self._seating.of(spec), self._seating.room, linked
        )
        return self._hooks.construct(name, spec.classname, cls, arguments, around)

    def _init(self) -> None:
        self._keeper.begin()
        self._call_init()

    def _call_init(self) -> None:
        source = self.generator.dset_name
        where = Where(source)
        for resource in self._parts.resources:
            self._hooks.call(resource, "init", where, source)
        if self.generator.copies_input:
            self._check_source()
        self._hooks.call(self.generator, "init", where)
        for stage in self.stages:
            self._hooks.call(stage, "init", where, source)
        self._observe(self._started())

    def _init_again(self) -> None:
        """Do what `init` has done before the run was stopped, and take its state in."""
        start = self._keeper.start
        assert start is not None
        with self._tables.rendezvous.again(self._keeper.begin()):
            self._call_init()
        where, size = Where(""), self._channel.size
        for part in self._all_parts():
            if not hasattr(part, "restore"):
                continue
            states = start.states.get(part.name, ())
            if part is self.generator:
                states = states[:1]  # the same on all ranks
                rounds = len(states)
            else:
                rounds = -(-len(states) // size)
            for turn in range(rounds):
                # of another number of ranks, too: they are dealt in turn
                mine = turn if part is self.generator else turn * size + self._channel.rank
                if mine < len(states):
                    self._hooks.call(part, "restore", where, states[mine])
                else:
                    self._hooks.skip(part, "restore", where)

    def _all_parts(self) -> tuple[Component, ...]:
        return (*self._parts.resources, self.generator, *self.stages)

    def _loop(self, stages: Sequence[PlannedStage], loader: CacheLoader) -> LoopResult:
        with self._keeper.looping():
            return run_loop(
                self.generator,
                stages,
                self._hooks,
                loader,
                self._observe,
                self._keeper.done,
                self._keeper.after_chunk,
                self._skipping(),
            )

    def _skipping(self) -> Skipping | None:
        if self._request.on_error != "skip":
            return None
        from h5flow.core.skipping import Skipping

        parts = (*self._parts.resources, *self.stages)
        rendezvous = self._tables.rendezvous
        return Skipping(self._hooks, rendezvous, parts, self._keeper.changed, self._observe)

    def _refuse_all_skipped(self) -> None:
        """Refuse a loop of which nothing is left: that is a mistake of the workflow."""
        skipped = self._result.skipped
        if skipped and not self._result.chunks:
            raise H5FlowError(
                f"every chunk of '{self.generator.dset_name}' has failed, the first one: "
                f"{skipped[0].error}"
            )

    def _check_source(self) -> None:
        spec = self.workflow.generator
        if self._tables.find(spec.dset_name) is None:
            names = self._tables.inventory.datasets
            problem = (
                f"there is no dataset '{spec.dset_name}' to loop over"
                f"{did_you_mean(spec.dset_name, names)}; there are {', '.join(names) or 'none'}"
            )
            raise ConfigError([Problem(problem, spec.place)])

    def _started(self) -> ConfigStarted:
        generator = self.generator
        loops = isinstance(generator, H5FlowDatasetLoopGenerator)
        return ConfigStarted(
            self.workflow.name,
            generator.dset_name,
            tuple(stage.name for stage in self.stages),
            total_rows=len(generator.rows) if loops else None,
            total_chunks=self._total_chunks(),
        )

    def _total_chunks(self) -> int | None:
        """Return the number of chunks, None where the generator does not say."""
        if not hasattr(self.generator, "__len__"):
            return None
        where = Where(self.generator.dset_name)
        chunks = self._hooks.call(self.generator, "__len__", where)[self._hooks.rank]
        return int(chunks) if isinstance(chunks, Integral) else None

    def _finish(self) -> None:
        if not self._keeper.is_finished:
            self._call_finish()
        self._drop()
        self._tables.settle()
        chunks, rows = self._result.chunks, self._result.rows
        name, seconds = self.workflow.name, self._seconds()
        self._observe(ConfigFinished(name, chunks, rows, seconds, self._earlier()))
        if self._owns_output:
            self._output.publish([self.record])
            self._channel.close()

    def _call_finish(self) -> None:
        source = self.generator.dset_name
        where = Where(source)
        self._hooks.call(self.generator, "finish", where)
        for stage in self.stages:
            self._hooks.call(stage, "finish", where, source)
        for resource in self._parts.resources:
            self._hooks.call(resource, "finish", where, source)
        if self._dropped():
            names = self._tables.inventory.datasets
            going = (data_path(name) for name in self._dropped() if clean_name(name) in names)
            self._output.rendezvous.deleted.update(going)  # the checkpoint remembers them
            self._keeper.before_drop(self._result)

    def _dropped(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.workflow.drop, *self._request.drop)))

    def _drop(self) -> None:
        for name in self._dropped():
            names = self._tables.inventory.datasets
            deleted = self._output.rendezvous.deleted
            if clean_name(name) not in names and data_path(name) in deleted:
                # Gone with an earlier workflow, or before the run was stopped. Its group may be
                # left, with datasets below: as a plain group it would take them with it.
                continue
            if self._tables.delete(name) or clean_name(name) in deleted:
                continue
            if self._keeper.is_finished:
                deleted.add(clean_name(name))  # gone before the run was stopped
            else:
                warnings.warn(
                    f"there is no dataset '{name}' to drop{did_you_mean(name, names)}",
                    H5FlowWarning,
                    stacklevel=2,
                )
