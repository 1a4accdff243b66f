# SPDX-License-Identifier: BSD-3-Clause
"""Where the modules of fastrnn.torch leave a call to PyTorch's own code: it runs, with its result or error."""

import warnings

import pytest
from support.torch_modules import counted, no_fallback, pair


@pytest.fixture
def fallback(kind, torch):
    """Runs a call of ours and of PyTorch's module; checks that PyTorch's code ran, with the same result or error."""

    def outcome(run, module):
        try:
            return run(module)
        except (RuntimeError, NotImplementedError) as error:
            return type(error), str(error)

    def check(run):
        theirs, ours = pair(kind(3, 5))
        with counted(kind) as calls:
            expected, before = outcome(run, theirs), len(calls)
            actual = outcome(run, ours)
        assert before > 0 and len(calls) == 2 * before
        assert actual == expected if isinstance(expected, tuple) else torch.equal(actual, expected)

    return check


def first(result):
    return result[0].detach()


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_projections(torch):
    """Of the class itself; `accelerate` leaves such a module."""
    import fastrnn.torch

    module, x = fastrnn.torch.LSTM(3, 5, proj_size=2), torch.zeros(4, 2, 3)
    with counted(torch.nn.LSTM) as calls:
        assert module(x)[0].shape == (4, 2, 2) and calls


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_half_precision_warns_once(kind, name, torch, monkeypatch):
    """For the process, not for each module."""
    from fastrnn.torch import _modules

    monkeypatch.setattr(_modules, "_warned", set())
    _, ours = pair(kind(3, 5))
    ours.to(getattr(torch, name))
    x = torch.zeros(4, 2, 3, dtype=getattr(torch, name))
    with pytest.warns(
        UserWarning, match=rf"fastrnn computes float32 and float64 on the CPU, got weights of torch.{name}"
    ):
        assert ours(x)[0].dtype is x.dtype
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ours(x)
        pair(kind(3, 5))[1].to(x.dtype)(x)
    x = torch.zeros(4, 2, 3)
    no_fallback(monkeypatch)
    assert ours.float()(x)[0].dtype is torch.float32


def test_no_memory(kind, torch):
    """Meta tensors have shapes alone."""
    _, ours = pair(kind(3, 5))
    assert ours.to("meta")(torch.zeros(4, 2, 3, device="meta"))[0].shape == (4, 2, 5)


@pytest.mark.filterwarnings("ignore:Accessing the data pointer of FakeTensor")  # PyTorch's constructor does
def test_tensors_that_have_shapes_alone(kind, torch):
    from torch._subclasses.fake_tensor import FakeTensorMode

    import fastrnn.torch

    with FakeTensorMode():
        ours = getattr(fastrnn.torch, kind.__name__)(3, 5)
        assert ours(torch.zeros(4, 2, 3))[0].shape == (4, 2, 5)


def test_autocast(fallback, torch):
    """In which the result is of half precision."""

    def run(module):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return first(module(x))

    x = torch.randn(4, 2, 3)
    fallback(run)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # PyTorch uses it
def test_transforms(fallback, torch):
    """torch.func.grad, and what PyTorch's modules do not have: batches by vmap, derivatives in forward mode."""

    def loss(module, part):
        return module(part)[0].square().sum()

    x = torch.randn(6, 4, 2, 3)
    fallback(lambda module: torch.func.grad(lambda part: loss(module, part))(x[0]))
    fallback(lambda module: torch.func.vmap(lambda part: loss(module, part))(x).detach())
    fallback(lambda module: torch.func.jvp(lambda part: loss(module, part), (x[0],), (x[1],))[1].detach())


def test_forward_mode(fallback, torch):
    def run(module):
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
            return torch.autograd.forward_ad.unpack_dual(module(dual)[0]).tangent.detach()

    x = torch.randn(4, 2, 3)
    fallback(run)


def test_subclasses_of_tensors(fallback, torch):
    class Marked(torch.Tensor):
        pass

    x = torch.randn(4, 2, 3).as_subclass(Marked)
    fallback(lambda module: first(module(x)))


@pytest.mark.parametrize(
    ("shape", "state"),
    [
        ((4, 2, 7), None),
        ((4,), None),
        ((4, 2, 3), (1, 3, 5)),
        ((4, 2, 3), (1, 5)),
        ((4, 3), (1, 2, 5)),
        ((0, 2, 3), None),
    ],
)
def test_wrong_arguments_have_the_errors_of_pytorch(kind, shape, state, torch):
    theirs, ours = pair(kind(3, 5))
    x = torch.zeros(shape)
    hx = None if state is None else torch.zeros(state)
    hx = (hx, hx) if hx is not None and kind.__name__ == "LSTM" else hx
    errors = []
    for grad in (True, False):
        for module in (theirs, ours):
            with pytest.raises((RuntimeError, ValueError)) as error, torch.set_grad_enabled(grad):
                module(x, hx)
            errors.append((type(error.value), str(error.value)))
    assert len(set(errors)) == 1


@pytest.mark.parametrize("what", ["dtype of x", "dtype of the state", "form of the state", "shape of a weight"])
def test_other_wrong_arguments_are_refused_too(kind, what, torch):
    _, ours = pair(kind(3, 5))
    x, hx = torch.zeros(4, 2, 3), torch.zeros(1, 2, 5)
    if what == "dtype of x":
        x = x.double()
    elif what == "dtype of the state":
        hx = hx.double()
    elif what == "form of the state":
        hx = (hx,) if kind.__name__ != "LSTM" else (hx, hx, hx)
    elif what == "shape of a weight":
        ours.weight_ih_l0.data = ours.weight_ih_l0.data[:, :2]
    hx = (hx, hx) if kind.__name__ == "LSTM" and not isinstance(hx, tuple) else hx
    for grad in (True, False):
        with (
            pytest.raises(Exception, match="(?i)dtype|type|shape|size|hidden|tuple|unpack"),
            torch.set_grad_enabled(grad),
        ):
            ours(x, hx)


def test_no_rows_are_left_to_pytorch(fallback, torch):
    fallback(lambda module: first(module(torch.zeros(4, 0, 3))))


def test_a_mode_of_dispatch_sees_every_operation(kind, torch):
    """Such as one that records, or counts."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Recorder(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    records = []
    for module in pair(kind(3, 5)):
        seen: list[str] = []
        with Recorder():
            module(torch.zeros(4, 2, 3))
        records.append(seen)
    assert records[0] == records[1] and len(records[0]) > 1


def test_a_mode_of_functions_sees_the_call(kind, torch):
    """But the mode that a default device is has nothing to see."""
    from torch.overrides import TorchFunctionMode

    class Recorder(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(func.__name__)
            return func(*args, **(kwargs or {}))

    records = []
    for module in pair(kind(3, 5)):
        seen: list[str] = []
        with Recorder():
            module(torch.zeros(4, 2, 3))
        records.append([name for name in seen if name in ("lstm", "gru", "rnn_tanh")])
    assert records[0] == records[1] and len(records[0]) == 1
    with counted(kind) as calls, torch.device("meta"):
        module(torch.zeros(4, 2, 3, device="cpu"))
    assert not calls


@pytest.mark.parametrize(("I", "state"), [(2, None), (3, (1, 2, 6)), (3, (1, 3, 5))])
def test_packed_arguments_that_do_not_fit(kind, I, state, torch):
    """Have the errors of PyTorch's GRU and RNN; its LSTM does not look, and reads beyond them."""
    _, ours = pair(kind(3, 5))
    packed = torch.nn.utils.rnn.PackedSequence(torch.zeros(2, I), torch.tensor([2]))
    hx = None if state is None else torch.zeros(state)
    hx = (hx, hx) if hx is not None and kind.__name__ == "LSTM" else hx
    for grad in (True, False):
        with torch.set_grad_enabled(grad), pytest.raises(RuntimeError, match="must be equal to input_size|Expected hi"):
            ours(packed, hx)
