"""What a plain scalar of a manifest is, as kubectl has it. The same is compared with kubectl itself elsewhere."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from kubeop.errors import InputError
from kubeop.kube import files

TEXTS = ["=", "22:00", "52:54:00:12:34:56", "12:30:45.5", "2026-01-02", "2026-01-02T10:00:00Z", "1.2.3", "1-2", "+",
         "0x", "0b2", "0o8", "1e400", "..", "._5", "0x1ffffffffffffffff"]  # fmt: skip
NUMBERS = {
    "0o644": 420, "0644": 420, "-0o17": -15, "08": 8, "0x1F": 31, "0b101": 5, "-0B11": -3, "1_000": 1000, "1e3": 1000,
    "1.5e-3": 0.0015, "1.": 1, "1.0": 1, ".5": 0.5, "-.5": -0.5, "+7": 7, "0": 0, "-0": 0, "0.1": 0.1, "1e21": 1e21,
    "9223372036854775807": 2**63 - 1, "123456789012345678901234567890": 1.2345678901234568e29,
}  # fmt: skip


def read(value):
    (found,) = files.documents(f"key: {value}\n", "x.yaml")
    return found["key"]


@pytest.mark.parametrize("text", TEXTS)
def test_what_only_pyyaml_takes_for_something_else_is_a_text(text):
    assert read(text) == text


@pytest.mark.parametrize("text", NUMBERS)
def test_a_number_is_one_in_every_way_that_kubernetes_knows(text):
    found = read(text)
    assert (found, type(found)) == (NUMBERS[text], type(NUMBERS[text]))


@pytest.mark.parametrize(
    ("text", "value"),
    [("yes", True), ("Off", False), ("true", True), ("~", None), ("", None), ("'22'", "22"), ("!!str 3", "3"),
     ("!!int '3'", 3), ("!!float 3", 3), ("!!binary aGk=", "hi"), ("!!timestamp 2026-01-02", "2026-01-02")],
)  # fmt: skip
def test_the_rest_is_as_in_yaml_1_1(text, value):
    assert read(text) == value


@pytest.mark.parametrize("text", [".inf", "-.Inf", ".NaN", "!!int x", "!!binary /w=="])
def test_what_json_cannot_hold_is_refused_with_its_line(text):
    with pytest.raises(InputError, match=r"x\.yaml, line 1 is not YAML"):
        read(text)


@pytest.mark.skipif(sys.platform != "linux", reason="a folder that even root cannot list is of Linux")
def test_a_folder_that_cannot_be_listed_is_one_fault():
    with subprocess.Popen(["true"]) as ended:
        folder = Path(f"/proc/{ended.pid}/net")  # of a process that has ended and was not waited for
        deadline = time.monotonic() + 10
        while "\nState:\tZ" not in (folder.parent / "status").read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        found = files.Manifests()
        found.add(folder)
    assert [fault.message for fault in found.faults] == [f"Cannot read {folder}: Invalid argument."]
