# SPDX-License-Identifier: BSD-3-Clause
"""reservoirpy, which has reservoirs only: `steps` has what is measured of it."""

import importlib

from ..cases import Case, CaseData
from . import Calls, Peer


class ReservoirPyPeer(Peer):
    packages = ("reservoirpy", "scipy")

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        importlib.import_module("reservoirpy")

    def supports(self, case: Case) -> str | None:
        return "reservoirs only"

    def prepare(self, case: Case, data: CaseData) -> Calls:
        raise NotImplementedError(f"{case.name}: reservoirpy has reservoirs only")
