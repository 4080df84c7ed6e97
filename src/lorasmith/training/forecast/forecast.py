"""What a run will write, need and take, in numbers. `estimate` computes it; nothing here imports torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class FileSizes:
    """What the run's folder will contain, in bytes; sample pictures and the log aside."""

    parameters: int
    """Trained parameters of the network."""
    lora: int
    """One LoRA file."""
    loras: int
    """How many will be written, those of the EMA included."""
    state: int
    """What a killed run continues from."""
    states: int

    @property
    def total(self) -> int:
        return self.lora * self.loras + self.state * self.states


@dataclass(frozen=True)
class Memory:
    """Bytes on the device by what they are for, phase by phase, in each process."""

    phases: Mapping[str, Mapping[str, int]]

    @property
    def peak_phase(self) -> str:
        """The phase that needs most."""
        return max(self.phases, key=lambda phase: sum(self.phases[phase].values()))

    @property
    def peak(self) -> int:
        return sum(self.phases[self.peak_phase].values())


@dataclass(frozen=True)
class Duration:
    """Seconds, as far as they can be estimated: `latents` where none is cached, all `steps`, and the `samples`; in the run's precision."""

    device: str
    tflop_per_step: float
    step: float
    latents: float
    steps: float
    samples: float
    prediction: float | None = None
    """One prediction of the denoiser for a sample picture; None where the run draws none."""
    decoding: float | None = None
    """A sample picture out of its latent."""

    @property
    def total(self) -> float:
        return self.latents + self.steps + self.samples


@dataclass(frozen=True)
class Forecast:
    """Files, memory and time of a run."""

    files: FileSizes
    memory: Memory
    duration: Duration

    @property
    def as_data(self) -> dict[str, Any]:
        """For --json."""
        return {
            "files": {**asdict(self.files), "total": self.files.total},
            "memory": {"peak": self.memory.peak, "peak_phase": self.memory.peak_phase, "phases": self.memory.phases},
            "time": {**asdict(self.duration), "total": self.duration.total},
        }
