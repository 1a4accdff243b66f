# SPDX-License-Identifier: BSD-3-Clause
"""Kinds of CPU: results are kept, and compared, by the kind."""

import platform
import re

# (vendor_id, family, model) of /proc/cpuinfo: name in paths, and in words
KNOWN = {
    ("AuthenticAMD", "25", "1"): ("zen3", "Zen 3"),
    ("AuthenticAMD", "25", "17"): ("zen4", "Zen 4"),
    ("AuthenticAMD", "26", "2"): ("zen5", "Zen 5"),
    ("GenuineIntel", "6", "106"): ("ice-lake", "Ice Lake"),
    ("GenuineIntel", "6", "143"): ("sapphire-rapids", "Sapphire Rapids"),
    ("GenuineIntel", "6", "173"): ("xeon6", "Xeon 6, Granite Rapids"),
}
WORDS = dict(KNOWN.values())
VENDORS = {"AuthenticAMD": "amd", "GenuineIntel": "intel"}
X86 = ("vendor_id", "cpu family", "model")
ARM = ("CPU implementer", "CPU architecture", "CPU part")


def identify(cpuinfo: str, otherwise: str) -> str:
    """The kind of the first core that /proc/cpuinfo describes, as a name of a folder.

    Parameters
    ----------
    cpuinfo : str
        The text of that file.
    otherwise : str
        What to make a name of if it describes no core.

    Examples
    --------
    >>> identify("vendor_id : AuthenticAMD\\ncpu family : 26\\nmodel : 2\\n", "x86_64")
    'zen5'
    >>> identify("vendor_id : GenuineIntel\\ncpu family : 6\\nmodel : 85\\n", "x86_64")
    'intel-6-85'
    """
    first = cpuinfo.strip().partition("\n\n")[0]
    fields = dict(re.findall(r"^([^\t:]+?)\s*:\s*(.*?)\s*$", first, re.MULTILINE))
    for names in X86, ARM:
        if all(name in fields for name in names):
            vendor, family, model = (fields[name] for name in names)
            if (vendor, family, model) in KNOWN:
                return KNOWN[vendor, family, model][0]
            return as_path(f"{VENDORS.get(vendor, vendor) if names is X86 else f'arm-{vendor}'}-{family}-{model}")
    return as_path(otherwise)


def as_path(text: str) -> str:
    """Text as the name of a folder."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "unknown"


def kind() -> str:
    """The kind of this machine's CPU: a name such as ``zen5``."""
    try:
        with open("/proc/cpuinfo") as file:
            text = file.read()
    except OSError:
        text = ""
    return identify(text, platform.processor() or platform.machine())


def describe(machine: dict[str, str]) -> str:
    """The CPU of a run, the "machine" of RESULTS.json, in words: ``AMD EPYC (Zen 5)``."""
    name = machine.get("kind")
    return machine["cpu"] if name is None else f"{machine['cpu']} ({WORDS.get(name, name)})"
