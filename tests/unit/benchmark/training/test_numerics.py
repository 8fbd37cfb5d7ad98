"""Numerics: what training computes, against formulas derived by hand and against itself.

Each comparison also runs with planted faults and must notice every one of them.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load as load_tensors
from torch import Tensor

from benchmark.core.config import MlpConfig, Workload, load
from benchmark.core.events import EventLog
from benchmark.core.ranks import RankContext, leave
from benchmark.core.store import DirectoryStore
from benchmark.data import batches, dataset
from benchmark.data.batches import Batches
from benchmark.model import models
from benchmark.model.evaluate import loss
from benchmark.training import train
from tests.unit.benchmark.conftest import TESTDATA, changed

Array = NDArray[np.float64]
EXACT = 1e-12  # float64, a handful of operations
ODD = 33  # ranks get 17 and 16: without their weights they would differ by more than the tolerance
RANKS_S = 120  # two processes import PyTorch and train 3 x 60 tiny steps: seconds on an idle machine
# One rank sums 256 samples, two ranks sum 128 each and average: float32 rounds differently, and
# 60 steps of AdamW carry that on. Losses are recorded to five decimals.
LOSS_TOLERANCE = 5e-5
WEIGHT_TOLERANCE = 1e-4


class SigmoidNetwork:
    """2 inputs, 2 hidden sigmoids, 1 sigmoid, mean squared error, one step of gradient descent.

    Derived by hand, with s' = s (1 - s):
      h = s(W1 x + b1), y = s(W2 h + b2), L = mean (y - t)²
      d2 = 2/n (y - t) y (1 - y)         dL/dW2 = sum d2 h    dL/db2 = sum d2
      d1 = d2 W2 * h (1 - h)             dL/dW1 = sum d1 x    dL/db1 = sum d1
    `fault` plants one error in these formulas.
    """

    RATE = 0.5
    X = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.3, -0.7))
    T = (0.0, 1.0, 1.0, 0.0, 0.4)
    W1 = ((0.15, -0.4), (0.8, 0.35))
    B1 = (0.1, -0.2)
    W2 = (0.6, -0.9)
    B2 = 0.05

    @classmethod
    def by_hand(cls, fault: str = "") -> list[float]:
        """Outputs, loss, gradients, weights after the step, all in one list."""
        n = len(cls.X)
        outputs: list[float] = []
        gradient = dict.fromkeys(range(9), 0.0)  # W1 (4), b1 (2), W2 (2), b2
        error = 0.0
        for (x1, x2), t in zip(cls.X, cls.T, strict=True):
            h = [_sigmoid(cls.W1[j][0] * x1 + cls.W1[j][1] * x2 + cls.B1[j]) for j in (0, 1)]
            y = _sigmoid(cls.W2[0] * h[0] + cls.W2[1] * h[1] + (0.0 if fault == "no bias" else cls.B2))
            outputs.append(y)
            error += (y - t) ** 2 / n
            slope = y * (1 + y) if fault == "slope of the sigmoid" else y * (1 - y)
            d2 = (1 if fault == "factor of the square" else 2) / n * (y - t) * slope
            for j in (0, 1):
                weight = cls.W2[1 - j] if fault == "weights crossed" else cls.W2[j]
                d1 = d2 * weight * h[j] * (1 - h[j])
                gradient[2 * j] += d1 * x1
                gradient[2 * j + 1] += d1 * x2
                gradient[4 + j] += d1
                gradient[6 + j] += d2 * h[j]
            gradient[8] += d2
        before = [*cls.W1[0], *cls.W1[1], *cls.B1, *cls.W2, cls.B2]
        sign = 1 if fault == "uphill" else -1
        after = [w + sign * cls.RATE * gradient[i] for i, w in enumerate(before)]
        return [*outputs, error, *gradient.values(), *after]

    @classmethod
    def by_autograd(cls) -> list[float]:
        hidden, out = torch.nn.Linear(2, 2).double(), torch.nn.Linear(2, 1).double()
        with torch.no_grad():
            for parameter, value in ((hidden.weight, cls.W1), (hidden.bias, cls.B1), (out.weight, [cls.W2]),
                                     (out.bias, [cls.B2])):  # fmt: skip
                parameter.copy_(torch.tensor(value, dtype=torch.float64))
        parameters = [hidden.weight, hidden.bias, out.weight, out.bias]
        x, t = (torch.tensor(v, dtype=torch.float64) for v in (cls.X, cls.T))
        y = torch.sigmoid(out(torch.sigmoid(hidden(x)))).squeeze(-1)
        error = torch.nn.functional.mse_loss(y, t)
        torch.autograd.backward(error)
        gradients = [p.grad.clone() for p in parameters if p.grad is not None]
        torch.optim.SGD(parameters, lr=cls.RATE).step()
        tensors = [y, error.reshape(1), *gradients, *parameters]
        return [float(v) for tensor in tensors for v in tensor.detach().flatten()]


def _sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def largest_difference(a: list[float], b: list[float]) -> float:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def test_autograd_equals_backpropagation_by_hand() -> None:
    by_hand, by_autograd = SigmoidNetwork.by_hand(), SigmoidNetwork.by_autograd()
    assert len(by_hand) == 5 + 1 + 9 + 9
    assert largest_difference(by_hand, by_autograd) < EXACT


@pytest.mark.parametrize("fault", ["no bias", "slope of the sigmoid", "factor of the square",
                                   "weights crossed", "uphill"])  # fmt: skip
def test_a_fault_in_the_formulas_is_noticed(fault: str) -> None:
    assert largest_difference(SigmoidNetwork.by_hand(fault), SigmoidNetwork.by_autograd()) > 1e-3


@pytest.mark.parametrize(("fault", "equal"), [("", True), ("relu", False), ("label", False)])
def test_the_gradient_of_the_benchmarks_own_perceptron(tiny: Workload, fault: str, equal: bool) -> None:
    """ReLU and binary cross-entropy: the derivative by the logit is sigmoid(z) - y, over n."""
    torch.manual_seed(0)
    model = models.Mlp(MlpConfig(kind="mlp", inputs=3, hidden=[4], outputs=1)).double()
    x, y = torch.randn(16, 3, dtype=torch.float64), torch.randint(2, (16,))
    torch.autograd.backward(loss(tiny, model(x), y))
    first, second = (layer for layer in model.layers if isinstance(layer, torch.nn.Linear))
    with torch.no_grad():
        z1 = x @ first.weight.T + first.bias
        h = z1.clamp(min=0)
        z2 = h @ second.weight.T + second.bias
        d2 = (torch.sigmoid(z2) - (1 - y if fault == "label" else y)[:, None]) / 16
        d1 = (d2 @ second.weight) * (1.0 if fault == "relu" else (z1 > 0))
    wanted: list[tuple[Tensor | None, Tensor]] = [
        (first.weight.grad, d1.T @ x), (first.bias.grad, d1.sum(0)),
        (second.weight.grad, d2.T @ h), (second.bias.grad, d2.sum(0)),
    ]  # fmt: skip
    difference = max(float((grad - by_hand).abs().max()) for grad, by_hand in wanted if grad is not None)
    assert (difference < EXACT) == equal


class LeastSquares:
    """Mean squared error of a linear model: convex, and gradient descent has a closed form.

    With H = 2 XᵀX / n and optimum w*, step k of full-batch descent is w* + (I - rate H)^k (w0 - w*).
    """

    def __init__(self) -> None:
        rng = np.random.default_rng(7)
        self.x: Array = rng.normal(size=(96, 3))
        self.y: Array = self.x @ np.array([1.0, -2.0, 0.5]) + rng.normal(0, 0.5, 96)
        self.h: Array = 2 * self.x.T @ self.x / len(self.x)
        self.best: Array = np.linalg.lstsq(self.x, self.y, rcond=None)[0]

    def closed_form(self, rate: float, steps: int) -> Array:
        factor = np.linalg.matrix_power(np.eye(3) - rate * self.h, steps)
        found: Array = self.best - factor @ self.best  # w0 = 0
        return found

    def descend(self, rate: float, steps: int, batch_size: int, step_of: Callable[[int], int] = int) -> Array:
        """Plain gradient descent over the benchmark's own batches."""
        data = {"x": torch.from_numpy(self.x), "y": torch.from_numpy(self.y)}
        share = Batches(data, batch_size, None, seed=1, rank=0, world_size=1)
        w = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.SGD([w], lr=rate)
        for step in range(steps):
            x, y = share.at(step_of(step))
            optimiser.zero_grad()
            torch.autograd.backward(((x @ w - y) ** 2).mean())
            optimiser.step()
        return w.detach().numpy()


@pytest.mark.parametrize(("rate_factor", "equal"), [(1.0, True), (1.01, False)])
def test_full_batch_descent_follows_its_closed_form(rate_factor: float, equal: bool) -> None:
    problem = LeastSquares()
    found = problem.descend(0.1 * rate_factor, 50, batch_size=96)
    assert (float(np.abs(found - problem.closed_form(0.1, 50)).max()) < EXACT) == equal


@pytest.mark.parametrize(("step_of", "follows"), [(int, True), (lambda step: step % 8, False)],
                         ids=["whole epochs", "a third of the data is never seen"])  # fmt: skip
def test_stochastic_descent_approaches_full_batch_descent_as_steps_shrink(
    step_of: Callable[[int], int], follows: bool
) -> None:
    """Over equal time (rate x steps) the distance falls in proportion to the rate; a bias stays."""
    problem = LeastSquares()

    def distance(rate: float) -> float:
        steps = round(2.4 / rate)  # whole epochs of 12 batches
        stochastic = problem.descend(rate, steps, 8, step_of)
        return float(np.linalg.norm(stochastic - problem.closed_form(rate, steps)))

    assert (distance(0.0025) < distance(0.02) / 4) == follows


def test_small_batches_of_an_epoch_average_to_the_full_gradient() -> None:
    problem = LeastSquares()
    data = {"x": torch.from_numpy(problem.x), "y": torch.from_numpy(problem.y)}
    share = Batches(data, 8, None, seed=1, rank=0, world_size=1)
    gradients = []
    for step in range(12):
        x, y = (v.numpy() for v in share.at(step))
        gradients.append(-2 * x.T @ y / len(x))  # at w = 0
    full = -2 * problem.x.T @ problem.y / len(problem.x)
    assert float(np.abs(np.mean(gradients, axis=0) - full).max()) < EXACT
    assert float(np.abs(np.mean(gradients[:8], axis=0) - full).max()) > 1e-3


def workload() -> Workload:
    # Not `auto`: the format must not depend on how fast this machine happens to be.
    return changed(load(TESTDATA / "valid-workload.yaml", "smoke"), training={"precision": "fp32"})


def train_one(root: Path, name: str, ranks: RankContext, batch_size: int = 256) -> None:
    """Train in `root`; rank 0 leaves `<name>.json` with the losses."""
    store, tiny = DirectoryStore(root / "store"), changed(workload(), training={"batch_size": batch_size})
    manifest = ranks.once(lambda: dataset.prepare(tiny, store))
    record = train.train(workload=tiny, seed=1, manifest=manifest, store=store, ranks=ranks, run_id=name,
                         events=EventLog(), progress=lambda value: None)  # fmt: skip
    if ranks.is_first:
        (root / f"{name}.json").write_text(json.dumps(record))


def as_rank(rank: int, root: Path) -> None:
    """One of two ranks: the same training twice, then with a fault: both ranks take the same samples."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{root}/meet", rank=rank, world_size=2)
    ranks = RankContext(rank, 2)
    train_one(root, "two", ranks)
    train_one(root, "two-again", ranks)
    train_one(root, "two-odd", ranks, ODD)
    right = batches.for_rank

    def of_the_first(
        workload: Workload, data: dict[str, Tensor], seed: int, rank: int, world_size: int
    ) -> Batches:
        return right(workload, data, seed, 0, world_size)

    batches.for_rank = of_the_first
    train_one(root, "two-faulty", ranks)
    batches.for_rank = right

    def late(*arguments: Any) -> Tensor:
        time.sleep(0.02 * rank)  # the second rank keeps the first one waiting
        return loss(*arguments)

    pytest.MonkeyPatch().setattr(train, "loss_of", late)
    train_one(root, "two-late", ranks)
    torch.distributed.destroy_process_group()
    leave()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Any]]:
    """Records by name: `one`, `two`, `two-again` and `two-faulty`, all with the same global batch."""
    root = tmp_path_factory.mktemp("ranks")
    torch.set_num_threads(1)
    train_one(root, "one", RankContext())
    train_one(root, "one-odd", RankContext(), ODD)
    context = multiprocessing.get_context("spawn")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLOO_SOCKET_IFNAME", "lo")
        ranks = [context.Process(target=as_rank, args=(rank, root)) for rank in (0, 1)]
        for process in ranks:
            process.start()
    try:
        for process in ranks:
            process.join(RANKS_S)
        assert [process.exitcode for process in ranks] == [0, 0], "a rank failed or took too long"
    finally:
        for process in ranks:
            process.kill()

    def record(name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((root / f"{name}.json").read_text())
        path = root / "store" / content["model"]["key"]
        return {**content, "weights": load_tensors(path.read_bytes())}

    return record


Trained = Callable[[str], dict[str, Any]]


def loss_gap(a: dict[str, Any], b: dict[str, Any]) -> float:
    assert [p["step"] for p in a["losses"]] == [p["step"] for p in b["losses"]]
    return largest_difference([p["loss"] for p in a["losses"]], [p["loss"] for p in b["losses"]])


def weight_gap(a: dict[str, Any], b: dict[str, Any]) -> float:
    return max(float((a["weights"][k] - b["weights"][k]).abs().max()) for k in a["weights"])


def test_waiting_for_a_slower_rank_is_no_computing(trained: Trained) -> None:
    """It is not waiting for data either, which is all that the utilisation says."""
    record = trained("two-late")
    assert record["accelerator_utilisation"] > 0.9
    assert record["compute_share"] < 0.5
    assert record["breakdown_s"]["all_reduce"] > 0.5 * sum(record["breakdown_s"].values())


def test_what_all_reduce_costs_is_measured_and_one_rank_has_none(trained: Trained) -> None:
    assert trained("two")["breakdown_s"]["all_reduce"] > 0
    assert "all_reduce" not in trained("one")["breakdown_s"]


def test_two_ranks_with_the_same_seed_give_the_same_losses(trained: Trained) -> None:
    first, second = trained("two"), trained("two-again")
    assert first["losses"] == second["losses"]
    assert first["model"]["sha256"] == second["model"]["sha256"]


@pytest.mark.parametrize(("name", "equal"), [("two", True), ("two-faulty", False)])
def test_one_and_two_ranks_with_equal_global_batch_agree(trained: Trained, name: str, equal: bool) -> None:
    one, two = trained("one"), trained(name)
    assert two["world_size"] == 2
    assert (loss_gap(one, two) <= LOSS_TOLERANCE) == equal
    assert (weight_gap(one, two) <= WEIGHT_TOLERANCE) == equal


def test_ranks_with_unequal_shares_train_like_one(trained: Trained) -> None:
    one, two = trained("one-odd"), trained("two-odd")
    assert loss_gap(one, two) <= LOSS_TOLERANCE
    assert weight_gap(one, two) <= WEIGHT_TOLERANCE
