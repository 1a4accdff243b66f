# SPDX-License-Identifier: BSD-3-Clause
"""Kinds of CPU, by which results are kept."""

import pytest

from fastrnn.benchmarks._suite import cpus

AMD = (
    "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: {}\nmodel\t\t: {}\nmodel name\t: AMD EPYC\n\nmodel\t: 7\n"
)
INTEL = "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: {}\nmodel name\t: Intel(R) Xeon(R) Processor\n"
ARM = "processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: 0xd40\n"


@pytest.mark.parametrize(
    "text, kind",
    [
        (AMD.format(25, 17), "zen4"),
        (AMD.format(26, 2), "zen5"),
        (AMD.format(25, 97), "amd-25-97"),
        (INTEL.format(106), "ice-lake"),
        (INTEL.format(173), "xeon6"),
        (INTEL.format(85), "intel-6-85"),
        (ARM, "arm-0x41-8-0xd40"),
        ("", "x86-64"),
        ("cpu\t: POWER9, altivec supported\n", "x86-64"),
    ],
)
def test_the_first_core_tells_the_kind(text, kind):
    """By vendor, family and model; a kind without a name of its own has these as its name."""
    assert cpus.identify(text, "x86_64") == kind


def test_a_kind_is_the_name_of_a_folder():
    assert cpus.identify("", "../\0") == "unknown"
    assert cpus.as_path(cpus.kind()) == cpus.kind()


def test_a_cpu_in_words():
    """Results from before kinds were noted have none."""
    assert cpus.describe({"cpu": "AMD EPYC", "kind": "zen5"}) == "AMD EPYC (Zen 5)"
    assert cpus.describe({"cpu": "AMD EPYC", "kind": "amd-25-97"}) == "AMD EPYC (amd-25-97)"
    assert cpus.describe({"cpu": "AMD EPYC"}) == "AMD EPYC"
