"""Verbs on evidence: prove; and how good the verdict is: bench verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lorasmith.cli.audit import bench
from lorasmith.cli.interrupt import STOPPED, stop_on_ctrl_c
from lorasmith.cli.options import AsJson, DeviceChoice, base_of

if TYPE_CHECKING:
    from lorasmith.evaluation.prove import Proven


def prove(
    what: Annotated[list[Path], typer.Argument(help="A run's folder; or LoRA files of one training, in their order.")],
    effort: Annotated[str, typer.Option(help="How many pictures are generated: quick, standard or thorough.")] = "standard",
    weight: Annotated[
        list[float] | None,
        typer.Option(help="Weight to try the recommended checkpoint at; may be given several times. Default: 0.6, 0.8 and 1."),
    ] = None,
    base: Annotated[str | None, typer.Option(help="Base of LoRA files: a file, a folder, a hub id, or demo.", callback=base_of)] = None,
    images: Annotated[
        Path | None, typer.Option(help="Captioned images that LoRA files were trained on: a folder, a manifest or shards.")
    ] = None,
    held_out: Annotated[Path | None, typer.Option(help="Images that they were not trained on. Default: IMAGES/holdout.")] = None,
    trigger: Annotated[str | None, typer.Option(help="Trigger word of LoRA files. Default: the one that most captions begin with.")] = None,
    image_encoder: Annotated[
        str | None,
        typer.Option(help="One more eye beside the base's: folder or hub id of a vision model (CLIP, DINO, SigLIP) or a tagger."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for what is found about LoRA files.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Other prompts and other seeds.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Say which checkpoint to use at which weight, what is wrong with the others, and how one sees it.

    lorasmith prove runs/my-lora
    lorasmith prove runs/my-lora --effort thorough
    lorasmith prove theirs.safetensors --base base.safetensors --images my-set
    lorasmith prove theirs.safetensors --base base.safetensors --images "shards/{000000..000099}.tar"

    It generates pictures and keeps them in the run's folder; stopped, it goes on where it was.
    """
    from lorasmith.cli.output import print_json
    from lorasmith.cli.progress import progress_bar
    from lorasmith.errors import InputError
    from lorasmith.evaluation.proof.plan import WEIGHTS
    from lorasmith.evaluation.prove import prove, prove_file
    from lorasmith.jobs.training import write_report_of
    from lorasmith.training.records.mirror import bring_run

    weights = tuple(weight) if weight else WEIGHTS
    files = [path for path in what if path.is_file()]
    with stop_on_ctrl_c() as stopping, progress_bar("proving") as progress:
        if not files and len(what) == 1:
            run = bring_run(what[0])
            proven = prove(
                run, effort=effort, weights=weights, seed=seed, image_encoder=image_encoder, progress=progress, cancelled=stopping
            )
            report: Path | None = write_report_of(run)
        elif base is None or images is None:
            raise InputError(
                "LoRA files need --base and --images: the base and the images that they were trained on.", code="proof.no_base"
            )
        else:
            folder = out if out is not None else files[0].with_name(f"{files[0].stem}-proof")
            proven = prove_file(
                files, base, images, folder, trigger=trigger, held_out=held_out, effort=effort, weights=weights, seed=seed,
                image_encoder=image_encoder, progress=progress, cancelled=stopping,
            )  # fmt: skip
            report = None
    if as_json:
        print_json({"what": what, **proven.as_data()})
    else:
        print_proven(proven, report)
    if not proven.complete:
        raise typer.Exit(STOPPED)


def print_proven(proven: Proven, report: Path | None) -> None:
    """The verdict in a terminal: the recommendation, a line for each checkpoint, what to do, where the pictures are."""
    from lorasmith.cli.findings import print_finding
    from lorasmith.evaluation.copies import copies_in_words

    if not proven.complete:
        typer.echo("Stopped: this is the verdict on what was measured so far. The same command goes on.")
    for sentence in proven.verdict.sentences:
        typer.echo(sentence)
    if copies := proven.copies:
        typer.echo(copies_in_words(copies))
    typer.echo()
    typer.echo(f"{'checkpoint':24} {'verdict':14} {'subject':>8} {'other prompts kept':>19} {'by heart':>9}")
    for place, one in enumerate(proven.verdict.checkpoints):
        mark = "*" if place == proven.verdict.recommended else " "
        cells = [_number(one.value(name)) for name in ("subject", "keeps", "replay")]
        typer.echo(f"{mark}{one.name:23} {one.headline:14} {cells[0]:>8} {cells[1]:>19} {cells[2]:>9}")
    for finding in (*proven.verdict.advice, *proven.signs):
        print_finding(finding)
    typer.echo(f"\nPictures and numbers: {proven.folder}")
    if report is not None:
        typer.echo(f"Look at: {report}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Folders of two runs or more.")],
    html: Annotated[Path, typer.Option(help="Page to write, with the pictures.")] = Path("compare.html"),
    as_json: AsJson = False,
) -> None:
    """Compare runs: settings that differ, pictures from the same seeds, measures with their errors, verdicts.

    lorasmith compare runs/a runs/b
    lorasmith compare runs/a runs/b --html a-and-b.html

    Runs that were proven (lorasmith prove) are compared by their pictures; others by settings and curves.
    """
    from lorasmith.cli.output import print_json
    from lorasmith.evaluation.compare import compare
    from lorasmith.evaluation.compare_page import write_comparison

    comparison = compare(list(runs))
    if as_json:
        print_json(comparison.as_data())
        return
    for sentence in comparison.sentences:
        typer.echo(sentence)
    for run in comparison.runs:
        typer.echo(f"\n{run.name}: {'not proven yet' if run.proof is None else ' '.join(run.proof.verdict.sentences)}")
    typer.echo(f"\n{'setting':36} " + " ".join(f"{run.name[:20]:>20}" for run in comparison.runs))
    for one in comparison.differences:
        typer.echo(f"{one.setting:36} " + " ".join(f"{_short(value):>20}" for value in one.values))
    if not comparison.differences:
        typer.echo("all settings are the same")
    typer.echo(f"\nLook at: {write_comparison(comparison, html)}")


def _short(value: object) -> str:
    text = "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 20 else f"{text[:17]}..."


@bench.command("verdict")
def bench_verdict(
    out: Annotated[Path, typer.Option(help="Folder for the runs and what is found; it is used again.")] = Path("bench-verdict"),
    seed: Annotated[
        int, typer.Option(min=0, help="Which runs: other things, pictures and seeds. Those over 100 are for checking alone.")
    ] = 1,
    quick: Annotated[
        bool, typer.Option("--quick", help="Eight of the 32 runs, and half of the pictures: minutes instead of hours.")
    ] = False,
    device: DeviceChoice = "auto",
    as_json: AsJson = False,
) -> None:
    """Train LoRAs on the demo world and compare their verdicts with the truth.

    lorasmith bench verdict --quick
    lorasmith bench verdict --seed 2

    Stopped, it goes on where it was. Several at once in one folder share the work.
    """
    from lorasmith.cli.output import print_json
    from lorasmith.demo.verdict_bench.bench import bench as judge

    with stop_on_ctrl_c("Stopping after this step.") as stopping:
        found = judge(out, seed, quick=quick, device=device, report=lambda words: typer.echo(words, err=True), cancelled=stopping)
    if found is None:
        raise typer.Exit(STOPPED)
    if as_json:
        print_json(found)
        return
    typer.echo(f"{'picked by':28} {'mean regret':>12} {'90 % interval':>16} {'worst':>7} {'beyond error':>13}")
    for name, row in found["pickers"].items():
        low, high = row["interval"]
        typer.echo(
            f"{name:28} {row['mean_regret']:12.1f} {low:8.1f} to {high:4.1f} {row['worst_regret']:7.1f} {row['worst_beyond_error']:13.1f}"
        )
    for label, accuracy in found["balanced_accuracy"].items():
        typer.echo(f"{label:28} balanced accuracy {'-' if accuracy is None else f'{accuracy:.2f}'}")
    told = found["cannot_tell"]
    typer.echo(f"{'cannot tell':28} {'-' if told is None else f'{told:.0%}'} of the checkpoints of runs that are kept apart")
