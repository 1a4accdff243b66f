# SPDX-License-Identifier: BSD-3-Clause
"""Write the frozen PyTorch results: one .safetensors file beside this script for each case.

    python tests/golden/make_torch.py

The cases and the function that runs PyTorch are in `tests/torch_cases.py`. The same versions write
the same bytes, so that a second run leaves the working tree clean.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent


def main() -> None:
    sys.path.insert(0, str(HERE.parent))
    from support.torch_cases import FROZEN, draw, run_torch

    torch.set_num_threads(1)
    for old in HERE.glob("torch-*.safetensors"):
        old.unlink()
    total = 0
    for case in FROZEN:
        given = draw(case)
        arrays = given | run_torch(case, given)
        about = {"case": asdict(case), "torch": torch.__version__, "numpy": np.__version__}
        path = HERE / f"torch-{case.name}.safetensors"
        # One key: safetensors writes several in an order that changes from run to run.
        save_file(arrays, path, metadata={"about": json.dumps(about, sort_keys=True)})
        total += path.stat().st_size
        print(f"{path.stat().st_size:8d} bytes  {path.name}")
    print(f"{total:8d} bytes in {len(FROZEN)} files")


if __name__ == "__main__":
    main()
