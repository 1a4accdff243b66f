# SPDX-License-Identifier: BSD-3-Clause
"""How long a step takes on 1 to 256 ranks: measures the parts here, compares the model with 1, 2 and 4, and draws it.

    python -m fastrnn.benchmarks.scale --out benchmarks     # SCALE.json and ranks.png
    python -m fastrnn.benchmarks.scale --mpi                # the transport of MPI, too; needs fastrnn[mpi] and mpiexec

The model is compared with processor time, in which other programs and a lack of cores count less: what a process pays
for an exchange is in it, the waiting for others is not. And with the time that passes, which needs a quiet machine.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import Any

import fastrnn as fr

from ._scale.measure import costs, step_seconds
from ._scale.model import Costs, least_rows, step_time
from ._scale.network import PUBLISHED, Exchange, exchange_times

UNITS = (128, 512)
BATCH, SHARDS, REPEATS = 64, 4, 5  # of the comparison
EFFICIENCY = 0.8


def by_mpi() -> Exchange:
    """The transport of MPI between two processes of this machine."""
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    if (path := which("mpiexec", path=os.pathsep.join(folders))) is None:
        sys.exit("--mpi: needs mpiexec, as of the package mpich")
    command = [path, "-n", "2", sys.executable, "-m", "fastrnn.benchmarks.scale", "--rank"]
    return Exchange(*json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout))


def rank() -> None:
    """One of the two processes of `by_mpi`."""
    communicator = fr.distributed.MPI()
    exchange = exchange_times(communicator)
    if communicator.rank == 0:
        print(json.dumps(exchange))


def compared(models: dict[int, Costs], exchange: Exchange) -> list[dict[str, Any]]:
    """Milliseconds of a step on 1, 2 and 4 processes, measured and of the model: of processor time, and that pass."""
    rows, cores = [], fr.get_num_threads()
    for H, parts in models.items():
        for ranks in 1, 2, 4:
            times = [
                fr.distributed.run(step_seconds, H, BATCH, SHARDS, processes=ranks, threads=1)[0]
                for _ in range(REPEATS)
            ]
            wall, used = (1e3 * min(each) for each in zip(*times, strict=True))
            model = 1e3 * step_time(parts, exchange.copying, ranks, BATCH, SHARDS).total
            wall_model = 1e3 * step_time(parts, exchange.waiting, ranks, BATCH, SHARDS, cores=cores).total
            rows.append({"H": H, "ranks": ranks, "used": used, "model": model, "wall": wall, "wall_model": wall_model})
    return rows


def measured(with_mpi: bool) -> dict[str, Any]:
    """All that the plot and the tables need."""
    transports = {"Processes": fr.distributed.run(exchange_times, processes=2, threads=1)[0]}
    if with_mpi:
        transports["MPI"] = by_mpi()
    exchange = transports["Processes"]
    with fr.threads(1):
        models = {H: costs(H, exchange.processor) for H in UNITS}
    return {
        "transports": {name: each._asdict() for name, each in transports.items()},
        "models": {H: parts._asdict() for H, parts in models.items()},
        "compared": compared(models, exchange),
    }


def models_of(document: dict[str, Any]) -> dict[int, Costs]:
    """The costs by the number of units, from what was written."""
    models = {}
    for H, parts in document["models"].items():
        models[int(H)] = Costs(**parts | {"shard": {int(rows): s for rows, s in parts["shard"].items()}})
    return models


def show(document: dict[str, Any]) -> None:
    """The tables."""
    for name, each in document["transports"].items():
        print(f"{name:<10} {1e6 * each['latency']:.1f} us an exchange, {each['bandwidth'] / 1e9:.2f} GB/s each way; "
              f"processor: {1e6 * each['processor']:.1f} us, {1 / each['per_byte'] / 1e9:.2f} GB/s")  # fmt: skip
    for H, parts in models_of(document).items():
        shards = ", ".join(f"{rows}: {1e3 * s:.2f}" for rows, s in parts.shard.items())
        print(f"H {H}: {parts.nbytes / 1e6:.1f} MB of gradients; ms of a shard by rows: {shards}; ms of an addition "
              f"{1e3 * parts.add:.3f}, of the rest {1e3 * parts.rest:.2f}")  # fmt: skip
        for name, network in PUBLISHED.items():
            rows = [least_rows(parts, network, ranks, EFFICIENCY) for ranks in (2, 16, 256)]
            print(f"  {EFFICIENCY:.0%} of the ideal on 2, 16 and 256 ranks with {name}: from {rows} rows of each")
    for row in document["compared"]:
        print("H {H:<4} {ranks} ranks: {used:.1f} ms of processor time, model {model:.1f}; {wall:.1f} ms pass, model "
              "{wall_model:.1f}".format(**row))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write SCALE.json and ranks.png into this folder")
    parser.add_argument("--read", type=Path, help="measure nothing: show and draw this SCALE.json")
    parser.add_argument("--mpi", action="store_true", help="measure exchanges by MPI, too")
    parser.add_argument("--rank", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rank:
        rank()
        return
    document = json.loads(arguments.read.read_text() if arguments.read else json.dumps(measured(arguments.mpi)))
    show(document)
    if arguments.out:
        from ._scale.plot import draw

        (arguments.out / "SCALE.json").write_text(json.dumps(document, indent=1) + "\n")
        draw(models_of(document)).savefig(arguments.out / "ranks.png", dpi=150)


if __name__ == "__main__":
    main()
