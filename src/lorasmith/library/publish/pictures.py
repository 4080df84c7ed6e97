"""The pictures that go with a LoRA, each with how it was generated, as AUTOMATIC1111 writes it.

They are those of the proof at the weight that is recommended, else the samples of the run at that step, else generated. What they say
of the file is put into its new name, so that whoever has the published file can generate them again; nothing else that a picture may
carry (camera data, a workflow with paths) goes along.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from lorasmith.errors import InputError
from lorasmith.evaluation.proof.record import RECORD, WEIGHTS_PROOF, read_record
from lorasmith.evaluation.sampling.session import lora_hash
from lorasmith.images.read import read_picture
from lorasmith.json_text import table_of
from lorasmith.library.publish.subject import Subject
from lorasmith.models.prompts.lora_tags import LoraTag, with_tags
from lorasmith.models.prompts.parameters import Parameters, png_bytes, read_parameters, read_png

MOST = 6
"""Pictures that are published."""
GROUPS = ("new", "bare")
"""Of a proof's prompts, those that show what the LoRA is for; the first come first."""
OF_A_RUN = ("Run", "Epoch", "Step")
"""What a run's samples say of the run, which is nobody's business."""


@dataclass(frozen=True, eq=False)
class Preview:
    """A picture to publish; `parameters` is None where nothing says how it was generated."""

    picture: Image.Image
    parameters: Parameters | None

    def png(self) -> bytes:
        """The picture as a PNG file, with its parameters."""
        if self.parameters is not None:
            return png_bytes(self.picture, self.parameters)
        file = io.BytesIO()
        Image.frombytes(self.picture.mode, self.picture.size, self.picture.tobytes()).save(file, "PNG")
        return file.getvalue()


def pictures_of(subject: Subject) -> list[Path]:
    """The pictures that the subject's run has of it: from the proof, else the samples at its step."""
    return (_of_proof(subject) or _of_samples(subject))[:MOST]


def read_previews(files: Sequence[str | Path], subject: Subject, name: str) -> list[Preview]:
    """Pictures as they are published, under the file's new name. Raises InputError where one is not a picture."""
    return [_renamed(_read(Path(file)), subject, name) for file in files]


def generated_previews(pictures: Sequence[Image.Image], subject: Subject, name: str) -> list[Preview]:
    """Pictures that `sample` generated, under the file's new name."""
    made = (Preview(picture, read_parameters(picture.info["parameters"])) for picture in pictures)
    return [_renamed(preview, subject, name) for preview in made]


def prompts_for(subject: Subject) -> list[str]:
    """What to generate where nobody says: the run's own sample prompts, else the trigger."""
    settings = subject.run.settings.model_dump() if subject.run is not None else table_of(subject.metadata.get("lorasmith_settings", ""))
    samples = settings.get("samples")
    given = samples.get("prompts") if isinstance(samples, dict) else None
    prompts = [prompt for prompt in given if isinstance(prompt, str)] if isinstance(given, list | tuple) else []
    return prompts[:MOST] or ([subject.trigger] * 4 if subject.trigger else [])


def _of_proof(subject: Subject) -> list[Path]:
    if subject.run is None or subject.proof is None or subject.judgement is None:
        return []
    at_weight = (subject.weight, WEIGHTS_PROOF) if subject.weight != 1 else (1.0, RECORD)
    record = read_record(subject.proof.folder, at_weight[1])
    if record is None:
        return []
    of_file = (
        pictures
        for one, pictures in zip(record.measured, record.pictures, strict=True)
        if (subject.run.folder.root / one.file).resolve() == subject.file.resolve() and one.weight == at_weight[0]
    )
    pictures = next(of_file, {})
    ordered = [prompt for group in GROUPS for prompt in record.prompts.prompts if prompt.group == group]
    paths = (subject.proof.folder / pictures[prompt.name] for prompt in ordered if prompt.name in pictures)
    return [path for path in paths if path.is_file()]


def _of_samples(subject: Subject) -> list[Path]:
    if subject.run is None:
        return []
    root = subject.run.folder.root
    steps = {(root / saved.path).resolve(): saved.step for saved in subject.run.checkpoints}
    step = steps.get(subject.file.resolve())
    paths = (root / at[step].path for at in subject.run.samples.values() if step in at)
    return [path for path in paths if path.is_file()]


def _read(path: Path) -> Preview:
    try:
        parameters = read_png(path)
    except InputError:
        return Preview(read_picture(path), None)
    with Image.open(path) as picture:
        return Preview(picture.convert("RGB"), parameters)


def _renamed(preview: Preview, subject: Subject, name: str) -> Preview:
    """The preview with the LoRA called by its new name in the prompt and among the hashes; a run's samples do not name it at all."""
    if preview.parameters is None:
        return preview
    parameters, old = preview.parameters, subject.file.stem
    prompt = re.sub(rf"<(lora|lyco):{re.escape(old)}:", rf"<\1:{name}:", parameters.request.prompt)
    hashes = {name if lora == old else lora: digits for lora, digits in parameters.lora_hashes.items()}
    if not hashes and parameters.extra.keys() >= {*OF_A_RUN}:
        prompt, hashes = with_tags(prompt, [LoraTag(name)]), {name: lora_hash(subject.file)}
    extra = {key: value for key, value in parameters.extra.items() if key not in OF_A_RUN}
    return replace(
        preview, parameters=replace(parameters, request=replace(parameters.request, prompt=prompt), lora_hashes=hashes, extra=extra)
    )


def without_parameters(previews: Sequence[Preview]) -> Iterator[int]:
    """The places, from 1, of pictures that do not say how they were generated."""
    return (place for place, preview in enumerate(previews, 1) if preview.parameters is None)
