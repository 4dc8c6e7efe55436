"""Devices are found without torch."""

from __future__ import annotations

import pytest

from slim_core.store.workers import processes_on
from workers import slots
from workers.slots import Gpu, parse, plan_slots

LISTING = """0, GPU-aaaa, NVIDIA H100 80GB HBM3, 81559, 512, 37, 41
1, GPU-bbbb, NVIDIA A2, passive, 15356, 3, [N/A], [N/A]
"""


@pytest.fixture
def two() -> list[Gpu]:
    """Two GPUs as nvidia-smi lists them."""
    return parse(LISTING)


def test_the_listing_of_nvidia_smi_is_read_and_what_a_card_does_not_measure_is_none(two: list[Gpu]):
    assert two[0] == Gpu(0, "GPU-aaaa", "NVIDIA H100 80GB HBM3", 81559, 512, 37, 41)
    assert two[1].name == "NVIDIA A2, passive" and two[1].load_percent is None and two[1].temperature_c is None


@pytest.mark.parametrize(
    ("variable", "indices"),
    [(None, [0, 1]), ("1", [1]), ("GPU-bbbb,0", [1, 0]), ("", []), ("-1", []), ("7", [])],
)
def test_cuda_visible_devices_is_respected(monkeypatch, two: list[Gpu], variable: str | None, indices: list[int]):
    monkeypatch.setattr(slots, "_query", lambda: two)
    if variable is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)

    assert [found.index for found in slots.gpus()] == indices


def test_a_machine_without_nvidia_smi_or_with_a_broken_one_has_no_gpu(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert slots.gpus() == []
    broken = tmp_path / "nvidia-smi"
    broken.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed' >&2\nexit 9\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert slots.gpus() == []


def test_each_gpu_gets_a_slot_that_sees_only_it_and_light_jobs_one_that_sees_none(two: list[Gpu]):
    slots = plan_slots(("gpu", "cpu"), None, two, threads=2)

    assert [(slot.label, slot.queues, slot.device, slot.shown_device) for slot in slots] == [
        ("gpu0", ("gpu",), "cuda", "cuda:0"),
        ("gpu1", ("gpu",), "cuda", "cuda:1"),
        ("light", ("cpu",), "cpu", "cpu"),
    ]
    assert [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots] == ["GPU-aaaa", "GPU-bbbb", ""]


def test_cpu_slots_leave_gpus_alone_and_share_the_cores(two: list[Gpu]):
    slots = plan_slots(("gpu",), 2, two, threads=8)

    assert [(slot.label, slot.device) for slot in slots] == [("cpu0", "cpu"), ("cpu1", "cpu")]
    assert [slot.environment["SLIM_THREADS"] for slot in slots] == ["4", "4"]


def test_without_a_gpu_slots_compute_on_the_cpu():
    assert [slot.label for slot in plan_slots(("gpu", "cpu"), 3, [], threads=2)] == [
        "cpu0",
        "cpu1",
        "cpu2",
        "light",
    ]
    assert [slot.label for slot in plan_slots(("cpu",), 3, [], threads=2)] == ["light"]


def test_several_devices_of_a_slot_are_seen_together_and_say_how_many_processes_can_share_them(two: list[Gpu]):
    three = [*two, Gpu(4, "GPU-cccc", "NVIDIA A2", None, None, None, None)]
    (slot,) = plan_slots(("gpu",), None, three, threads=4, devices=2)
    assert (slot.label, slot.shown_device) == ("gpu0-1", "cuda:0+1")
    assert slot.environment["CUDA_VISIBLE_DEVICES"] == "GPU-aaaa,GPU-bbbb"
    assert processes_on(slot.shown_device) == (1, 2)

    (all_machines,) = plan_slots(("gpu",), 1, [], threads=4, devices=2, machines=3)
    assert all_machines.shown_device == "cpu:0+1*3" and processes_on("cpu:0+1*3") == (1, 3, 6)
    assert processes_on("cuda:0") == processes_on("cpu") == processes_on("cuda:7") == (1,)
