"""Which devices take jobs, and what a job's process sees of them."""

import pytest

from lorasmith.jobs import devices
from lorasmith.jobs.devices import MACHINE, accelerators, environment_for, listed
from lorasmith.jobs.job import Job

TWO = "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-aaaa-1)\nGPU 1: NVIDIA H100 80GB HBM3 (UUID: GPU-bbbb-2)\n"
DIVIDED = "GPU 0: NVIDIA H100 (UUID: GPU-aaaa)\n  MIG 3g.40gb Device 0: (UUID: MIG-1111)\n  MIG 3g.40gb Device 1: (UUID: MIG-2222)\n"


@pytest.mark.parametrize(
    ("text", "found"), [(TWO, ["GPU-aaaa-1", "GPU-bbbb-2"]), (DIVIDED, ["MIG-1111", "MIG-2222"]), ("", []), ("No devices were found\n", [])]
)
def test_each_gpu_is_a_device_and_of_a_divided_one_each_part(text, found):
    assert listed(text) == found


@pytest.mark.parametrize(
    ("environment", "text", "found"),
    [
        ({}, TWO, ["GPU-aaaa-1", "GPU-bbbb-2"]),
        ({}, "", [MACHINE]),
        ({"CUDA_VISIBLE_DEVICES": "1"}, TWO, [MACHINE]),
        ({"CUDA_VISIBLE_DEVICES": "0, 2"}, TWO, ["0", "2"]),
        ({"CUDA_VISIBLE_DEVICES": ""}, TWO, [MACHINE]),
    ],
)
def test_devices_that_the_user_has_hidden_take_no_job(monkeypatch, environment, text, found):
    monkeypatch.setattr(devices, "_nvidia_smi", lambda: text)
    assert accelerators(environment) == found


def job(needs, device):
    return Job(1, "train", {}, needs, "running", device=device)


def test_a_job_sees_its_own_device_alone_and_has_its_share_of_the_threads(monkeypatch):
    monkeypatch.setattr(devices, "_cores", lambda: 16)
    seen = [
        environment_for(job(needs, device), 2, {})[name]
        for needs, device in (("accelerator", "GPU-a"), ("cpu", "cpu"))
        for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
    ]
    assert seen == ["GPU-a", "8", "", "8"]
    assert "CUDA_VISIBLE_DEVICES" not in environment_for(job("accelerator", MACHINE), 1, {})


def test_threads_that_the_user_has_chosen_are_kept():
    assert environment_for(job("cpu", "cpu"), 1, {"OMP_NUM_THREADS": "3"})["OMP_NUM_THREADS"] == "3"
