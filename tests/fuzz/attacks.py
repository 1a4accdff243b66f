# SPDX-License-Identifier: BSD-3-Clause
"""Every attack by its name, and its share of the time."""

from fuzz.files import Files
from fuzz.layers import Layers
from fuzz.models import Models
from fuzz.parts import Parts
from fuzz.soak import Soak
from fuzz.writers import Writers

ATTACKS = {"layers": Layers, "models": Models, "parts": Parts, "files": Files, "writers": Writers, "soak": Soak}
SHARES = {"layers": 6, "models": 2, "parts": 2, "files": 2, "writers": 1, "soak": 1}
