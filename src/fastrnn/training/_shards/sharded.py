# SPDX-License-Identifier: BSD-3-Clause
"""The gradients of a batch from those of its shards, and the communication in each step."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from ...distributed import Communicator
from ...losses import Mean
from ...losses._mean import Sum
from .._data.batch import Batch
from .._data.draw import Draw
from .._data.source import EpochReader
from .._loop.alone import Alone, Found
from .._loop.interrupts import AgreedInterrupts
from .._loop.loop import Cursor, Training
from .._loop.means import Means
from .._loop.metrics import scores
from .._loop.truncated import Window, as_cuttable, windows
from .._state.checkpoints import content_of, load_content
from .._state.shape import wrong
from .cut import Cut
from .gradients import Tree
from .masks import Masks
from .same_data import compare, compared_in_step
from .share import Place, Share, SummedWindow
from .team import Team, as_communicator, as_shards, checksum_of

EVERY = 64  # steps after which the checksums of the parameters are compared: they take about as long as a few updates


class Sharded(Alone):
    """The gradients of batches in shards, each computed by one rank.

    Parameters
    ----------
    communicator : Communicator

    Attributes
    ----------
    shards : int
    """

    shards: int

    def __init__(self, communicator: Communicator) -> None:
        self.communicator = communicator
        self.writes = communicator.rank == 0
        self.interrupts = interrupts = AgreedInterrupts()
        self.team = Team(communicator, lambda: interrupts.pressed)
        self.tree: Tree
        self.masks: Masks

    def together(self) -> AbstractContextManager[None]:
        return self.team.together()

    def first(self, read: Callable[[], Any]) -> Any:
        return self.team.first(read)

    def same(self, values: Mapping[str, Any]) -> None:
        self.team.same("arguments", values)

    def begin(self, run: Training, resumed: bool) -> None:
        """Compare settings and data, and begin with the parameters, moments and generators of rank 0."""
        if self.communicator.size > 1:
            compare(self.team, run, self.shards)
        if not resumed:
            parts = {
                name: part for name, part in (("optimizer", run.optimizer), ("schedule", run.schedule))
                if hasattr(part, "state_dict")
            }  # fmt: skip
            parts = {"optimizer": None, "schedule": None} | parts
            content, data = self.team.first(lambda: (content_of(run.model, parts), run.data.state_dict()))
            with self.team.together():
                if not self.writes:
                    load_content(content, run.model, parts)
                    if "source" in data:
                        run.data.load_state_dict(data)
            run.commit(Cursor(run.data.state_dict()))
        self.masks = Masks(run.model)
        self.tree = Tree(run.model, self.communicator, self.shards)

    def batches(self, data: EpochReader) -> Iterator[Batch | Draw]:
        return data.draws()

    def windows(self, run: Training, batch: Batch | Draw, start: int, first: Any) -> Iterator[Window]:
        """One window of all shards for each window of time; one that ends before has no share in the last."""
        own: dict[int, Iterator[Window]] | None = None
        same: tuple[Any, ...] = ()
        while True:
            shares: list[Share] = []
            failure: Exception | None = None
            try:
                if own is None:
                    same = compared_in_step(batch, run.steps) if self.communicator.size > 1 else ()
                    own = self._own(run, batch, start, first)
                with self.masks.kept():
                    self.tree.compute(partial(self._next, run, own, shares))
            except Exception as error:
                failure = error
            at: list[Any] = [run.steps + 1, *same]
            if run.steps % EVERY == 0 and self.communicator.size > 1:
                at += ["and parameters", checksum_of(run.model.params)]
            gathered = self.team.agree(("step", *at), shares, failure)
            everyone = [share for those in gathered for share in those]
            if run.truncate is not None and not everyone:  # no row has a step
                return
            yield (window := self._summed(everyone))
            if window.last:
                return

    def _own(self, run: Training, batch: Batch | Draw, start: int, first: Any) -> dict[int, Iterator[Window]]:
        """The windows of the shards of this rank, by their numbers; a shard is gathered for its first window."""
        cut = Cut(batch, run.objective.reading, self.shards)

        def of(k: int) -> Iterator[Window]:
            if (shard := cut.shard(k)) is not None:
                yield from windows(run.objective, shard, run.truncate, start, None if first is None else first[k])

        return {k: of(k) for k in self.tree.own}

    def _next(self, run: Training, own: dict[int, Iterator[Window]], shares: list[Share], k: int) -> float | None:
        """Leave the gradients of the next window of shard k in the model; append its share, and return its weight."""
        if k not in own:
            return None
        self.masks.begin(run.steps, k)
        if (window := next(own[k], None)) is None:
            return None
        values = scores(run.objective, run.metrics, window.y, window.target, window.lengths)
        place = Place(k, window.stop, window.last, None if window.last else window.first)
        shares.append(Share(window.loss, values, window.extras, window.positions, window.steps, place))
        if window.last:
            del own[k]  # its arrays are not needed any more
        if isinstance(window.loss, Sum):
            return 1.0
        return window.loss.weight if isinstance(window.loss, Mean) else float(window.positions)

    def _summed(self, shares: list[Share]) -> Window:
        """The window of all shards, whose sum is then in the gradients."""
        means, values, extras = Means(), Means(), Means()
        for share in shares:
            means.add({"loss": share.loss}, share.positions)
            values.add(share.scores, share.positions)
            extras.add(share.extras, share.positions)
        total, weight = means.totals.get("loss", 0.0), means.weights.get("loss", 0.0)
        is_sum = any(isinstance(share.loss, Sum) for share in shares)
        self.tree.sum(1.0 if is_sum or not weight else weight)
        loss = Sum(total, weight) if is_sum else Mean(total, weight)
        steps, places = sum(share.steps for share in shares), [share.place for share in shares]
        stop, last = max((place.stop for place in places), default=1), all(place.last for place in places)
        states = {place.shard: place.first for place in places}
        first = None if last else [states.get(k) for k in range(self.shards)]
        window = SummedWindow(loss, stop, steps, last, None, first, None, None, None, extras.means())
        window.counted, window.scores = sum(share.positions for share in shares), values.means()
        return window

    def parts(self, run: Training, batch: Batch | Draw, start: int, first: Any) -> list[tuple[Batch, Any]]:
        """The shards that continue at a step, and their states."""
        if not isinstance(first, list) or len(first) != self.shards:
            raise wrong("training/place/first", f"a list of {self.shards}, one for each shard", first)
        cut = Cut(batch, run.objective.reading, self.shards)
        shards = [(shard, state) for k, state in enumerate(first) if (shard := cut.shard(k)) is not None]
        cuttable = [(as_cuttable(run.objective, shard)[1], shard, state) for shard, state in shards]
        going_on = [(shard, state) for steps, shard, state in cuttable if start < steps]
        return going_on or [(batch.batch() if isinstance(batch, Draw) else batch, None)]

    def scores(self, run: Training, window: Window) -> dict[str, float]:
        return window.scores if isinstance(window, SummedWindow) else super().scores(run, window)

    def runs(self, k: int, batch: Batch | Draw) -> bool:
        """Every rank runs all batches of an iterable, because they are not compared otherwise."""
        return not isinstance(batch, Draw) or k % self.communicator.size == self.communicator.rank

    def of_all(self, compute: Callable[[], dict[int, Found]]) -> list[Found]:
        found: dict[int, Found] = {}
        failure: Exception | None = None
        try:
            found = compute()
        except Exception as error:
            failure = error
        everyone = self.team.agree(("the validation",), found, failure)
        parts = {k: part for those in everyone for k, part in those.items()}
        parts |= found  # of what all have run, its own: `agree` compares the means
        return [part for _, part in sorted(parts.items())]

    def agree(self, run: Training, finished: bool) -> bool:
        watched = {name: run.history[name][-1] for name in ("val_loss", run.monitor) if run.history.get(name)}
        validated = [f"with {name} {value!r}" for name, value in watched.items()]  # of batches that nothing compared
        at = ("the end of epoch", run.history.epochs, "in step", run.steps, *validated)
        return any(self.team.agree(at, finished))

    def end(self, run: Training) -> None:
        """See that all ranks have come here with the same parameters; another training then has other masks."""
        place = "the end by Ctrl-C" if run.history.interrupted else "the end"
        self.team.agree((f"{place}, with parameters", checksum_of(run.model.params)))
        self.masks.begin(run.steps, self.shards)

    def failed(self, error: BaseException) -> None:
        of_sums = isinstance(error, FloatingPointError)  # which are those of all ranks
        if error is not self.team.raised and not of_sums:
            self.communicator.abort(error)


def stepper_of(shards: Any, communicator: Any) -> Alone:
    """How a training gets its gradients, by these arguments of `fit`."""
    if shards is None and communicator is None:
        return Alone()
    stepper = Sharded(as_communicator(communicator))
    with stepper.together():
        stepper.shards = as_shards(shards, stepper.communicator.size)
    return stepper
