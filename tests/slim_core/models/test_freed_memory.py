"""Memory that is freed and taken again: whether the kernel has to hand it out anew."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from slim_core.models.inference import keep_freed_memory

FAULTS = """
import resource
import torch
from slim_core.models.inference import open_device

def batch():
    for size in (70, 50, 90):  # MiB
        torch.zeros(size << 18)

def faults():
    batch()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        batch()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

plain = faults()
open_device("cpu")
print(plain, faults())
"""
glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")


@pytest.mark.slow
@glibc
def test_a_device_that_is_opened_takes_memory_from_the_kernel_once():
    ended = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    plain, kept = map(int, ended.stdout.split())
    assert kept < 50 < 400 < plain, "1 GiB in pages of 4 KiB, or of 2 MiB where the kernel has large ones"


@glibc
def test_it_may_be_said_twice():
    assert keep_freed_memory() and keep_freed_memory()


def test_elsewhere_nothing_is_changed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory.__wrapped__()
