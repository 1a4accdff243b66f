# SPDX-License-Identifier: BSD-3-Clause
"""Options of optimizers and schedules that differ from those that a training began with."""

import re
import warnings

import pytest
from support.checkpoints import learn, make_model

import fastrnn as fr
from fastrnn.io._checkpoints import read_checkpoint, write_checkpoint
from fastrnn.training._state.differences import options_of_schedule

BEGUN = {"lr": 0.01, "betas": (0.8, 0.99), "eps": 1e-7, "weight_decay": 0.1}
WARM = {"steps": 2, "gamma": 0.5}


def make_adam(model, **options):
    return fr.Adam(model, **BEGUN | options)


def make_schedule(adam, **options):
    options = WARM | options
    return fr.LinearWarmup(adam, options["steps"], fr.StepLR(adam, 3, options["gamma"]))


@pytest.fixture(params=[True, False], ids=["with a schedule", "without"])
def scheduled(request):
    return request.param


@pytest.fixture
def begun(path, scheduled):
    """The checkpoint of a training whose learning rate has changed, by a schedule or by hand."""
    model = make_model()
    adam = make_adam(model)
    schedule = make_schedule(adam) if scheduled else None
    learn(model, adam, schedule, steps=6)
    if not scheduled:
        adam.lr = 0.004
    fr.save_checkpoint(path, model, adam, schedule, epoch=3)
    return path, adam


def load(path, scheduled, schedule=None, **options):
    """Into a new model, with other options of the optimizer and of the schedule; the message of the warning, if any."""
    model = make_model(seed=5)
    adam = make_adam(model, **options)
    follow = make_schedule(adam, **(schedule or {})) if scheduled else None
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert fr.load_checkpoint(path, model, adam, follow) == {"epoch": 3}
    assert [warning.filename for warning in caught] == [__file__] * len(caught)
    return adam, "".join(str(warning.message) for warning in caught)


def test_the_same_options(begun, scheduled):
    """No warning, although the learning rate has changed since."""
    path, before = begun
    adam, message = load(path, scheduled)
    assert message == "" and adam.lr == before.lr != 0.01 and adam.begun == before.begun


@pytest.mark.parametrize(
    "options, named",
    [
        ({"weight_decay": 0.0}, ["optimizer.weight_decay (0.1, given 0.0)"]),
        (
            {"betas": (0.8, 0.9), "eps": 1e-8},
            ["optimizer.beta2 (0.99, given 0.9)", "optimizer.eps (1e-07, given 1e-08)"],
        ),
    ],
)
def test_other_options_of_the_optimizer(options, named, begun, scheduled):
    """They are named with both values, and those of the checkpoint are used."""
    path, before = begun
    adam, message = load(path, scheduled, **options)
    assert message == (
        f"{path}: the options differ from those of the checkpoint. Those of the checkpoint are used for "
        f"{', '.join(named)}: to change them, set them after load_checkpoint, or start anew."
    )
    assert adam.hyperparameters("0.weight_ih_l0") == before.hyperparameters("0.weight_ih_l0")


def test_another_learning_rate(begun, scheduled):
    """The schedule goes on from the one that it started from."""
    path, before = begun
    adam, message = load(path, scheduled, lr=0.5)
    assert f"used for optimizer.lr ({0.01 if scheduled else 0.004}, given 0.5): to change" in message
    assert adam.lr == before.lr


def test_what_has_been_set_after_loading_is_no_difference_later(begun, scheduled):
    """The learning rate of the checkpoint is the one that is given: without a schedule nothing is lost."""
    path, _ = begun
    _, message = load(path, scheduled, lr=0.004)
    assert bool(message) == scheduled


def test_other_options_of_the_schedule(begun, scheduled):
    """A schedule is a function of its options: those given are used. Those of one inside it count."""
    path, _ = begun
    _, message = load(path, scheduled, schedule={"steps": 4, "gamma": 0.1})
    assert message == (
        f"{path}: the options differ from those of the checkpoint. Those given are used for schedule.steps (4, in the "
        "checkpoint 2), schedule.after.gamma (0.1, in the checkpoint 0.5): the results are not those of a training "
        "without a break."
        if scheduled
        else ""
    )


def test_a_checkpoint_of_an_earlier_version(begun, scheduled, path):
    """What is in it is compared; without a schedule it does not tell the first learning rate."""
    content = read_checkpoint(path)
    content["optimizer"].pop("begun")
    content.get("schedule", {}).pop("options", None)
    write_checkpoint(path, content)
    _, message = load(path, scheduled, schedule={"gamma": 0.1})
    assert message == ""
    adam, message = load(path, scheduled, lr=0.5, weight_decay=0.0)
    assert adam.begun is None and "optimizer.weight_decay (0.1, given 0.0)" in message
    assert ("optimizer.lr (0.01, given 0.5)" in message) == scheduled


def test_the_beginning_stays_that_of_the_first_run(begun, scheduled):
    """Also in a file that a resumed training writes."""
    path, _ = begun
    model = make_model(seed=5)
    adam = make_adam(model)
    schedule = make_schedule(adam) if scheduled else None
    fr.load_checkpoint(path, model, adam, schedule)
    learn(model, adam, schedule, steps=3)
    fr.save_checkpoint(path, model, adam, schedule, epoch=3)
    assert load(path, scheduled)[1] == "" != load(path, scheduled, lr=0.5)[1]


def test_back_to_a_checkpoint_in_the_same_training(path, scheduled):
    """Its own optimizer is not one with other options, wherever its schedule is."""
    model = make_model()
    adam = make_adam(model)
    schedule = make_schedule(adam) if scheduled else None
    fr.save_checkpoint(path, model, adam, schedule)  # before the first update
    learn(model, adam, schedule, steps=6)
    adam.lr = adam.lr if scheduled else 0.004
    fr.load_checkpoint(path, model, adam, schedule)
    with pytest.warns(UserWarning, match=re.escape("optimizer.lr (0.01, given 0.5)")):
        other = make_adam(model, lr=0.5)
        fr.load_checkpoint(path, model, other, make_schedule(other) if scheduled else None)


def test_groups_are_compared_as_ever(path):
    """With other values of a group nothing is loaded."""
    model = make_model()
    make = lambda decay: fr.Adam(model, groups={"*bias*": {"weight_decay": decay}})  # noqa: E731
    fr.save_checkpoint(path, model, make(0.5))
    fr.load_checkpoint(path, model, make(0.5))
    with pytest.raises(ValueError, match=r"weight_decay.0.bias_ih_l0: expected 0.0, as in groups, got 0.5"):
        fr.load_checkpoint(path, model, make(0.0))


def test_the_options_of_schedules():
    sgd = fr.SGD(fr.Linear(1, 1), lr=0.5)
    assert options_of_schedule(fr.LinearWarmup(sgd, 3)) == {"steps": 3}
    inside = {"after": "StepLR", "after.step_size": 2, "after.gamma": 0.1}
    assert options_of_schedule(fr.LinearWarmup(sgd, 3, fr.StepLR(sgd, 2))) == {"steps": 3, **inside}

    class Chain(fr.optim.Schedule):
        parts: fr.nn._options.Argument[list] = fr.nn._options.Argument("Schedules.", "list", default=())

        def at(self, lr, count):
            return lr

    chain = options_of_schedule(Chain(sgd, [fr.StepLR(sgd, 2), fr.LinearWarmup(sgd, 3)]))
    assert chain == {
        "parts.0": "StepLR", "parts.0.step_size": 2, "parts.0.gamma": 0.1, "parts.1": "LinearWarmup", "parts.1.steps": 3
    }  # fmt: skip
    assert options_of_schedule(object()) == {}
