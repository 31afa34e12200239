"""How fast the local engine annotates, what it keeps in memory, and how long a first entity takes.

Each side is a process of its own that loads once; the sides take turns in rounds over the same sentences, so that a
machine that slows down slows all of them. Sentences a second are medians over the rounds with the slowest and the
fastest one; ratios are taken round by round against one side (--reference). All processes share the same cores.

- medner int8, f32, bf16: what `medner annotate` does with a sentence, in these number formats.
- medner PRESET: the taggers of --preset PRESET, in this machine's fastest format.
- transformers: the same taggers and heads by AutoModelForCausalLM and PEFT, in the faster of f32 and bf16.
- encoder f32, int8: a BERT-base-sized encoder with a span head in onnxruntime, for scale; random weights.
- baseline: another checkout of medner, its default taggers unless --baseline-taggers names others.

The time to a first entity is that of `medner annotate --text` from its start to its first line of output, in a new
process: "cold" with an empty data folder, where formats are measured and weights laid out, "warm" with what that kept.

    python benchmarks/engine.py                                      # one core, sentences of the sample notes
    python benchmarks/engine.py --taggers symbol --sides medner --at-a-time 1
    python benchmarks/engine.py --baseline ../earlier --baseline-python ../earlier/.venv/bin/python --json run.json

An entity count is what the pipeline keeps; of transformers, what its taggers propose together. All sides together need
about 10 GB of memory; --sides and --formats leave some out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from engine_sides.cores import cores, share_cores
from engine_sides.encoder_graph import EncoderShape, write_encoder
from engine_sides.report import as_json, print_starts, print_table
from engine_sides.rounds import Order, measured_rounds
from engine_sides.starts import StartOrder, measured_starts
from medner.agents.engines.local.formats import machine_name, measured_formats
from medner.core.errors import MednerError
from medner.core.sentences import split_sentences
from medner.service.config.shelf import shipped_plan
from medner.store.corpora import read_documents

HERE = Path(__file__).parent
GROUPS = ("medner", "transformers", "encoder", "baseline", "start")
FORMATS = ("int8", "f32", "bf16")


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="engine.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--taggers", help="as medner annotate takes them; default: those that ship for the label set")
    add("--labels", default="cmeee-v2", help="the label set (%(default)s)")
    add("--model", help="the base model: a name or a folder; default: medner's")
    add(
        "--sentences",
        type=Path,
        default=HERE.parents[1] / "examples" / "notes",
        help="a corpus file or folder of notes",
    )
    add("--limit", type=int, default=16, help="how many sentences, drawn with --seed (%(default)s)")
    add("--seed", type=int, default=0)
    add("--rounds", type=int, default=3, help="rounds that count, after one to warm up (%(default)s)")
    add("--threads", type=int, default=1, help="threads, and cores shared by all sides (%(default)s)")
    add("--at-a-time", type=int, nargs="+", default=[1, 8], help="sentences under way, or in a batch (1 8)")
    add("--sides", nargs="+", choices=GROUPS, default=list(GROUPS), help="what to measure (all)")
    add("--formats", nargs="*", choices=FORMATS, default=list(FORMATS), help="number formats of medner (all)")
    add("--presets", nargs="*", metavar="NAME", help="default: without --taggers, those of the label set")
    add("--baseline", type=Path, metavar="FOLDER", help="another checkout of medner")
    add("--baseline-python", type=Path, metavar="PYTHON", help="its interpreter (FOLDER/.venv/bin/python)")
    add("--baseline-taggers", help="its taggers; default: its own default")
    add("--reference", metavar="SIDE", help="the side that ratios are against; default: baseline, else transformers")
    add("--json", type=Path, metavar="FILE", help="write every round's numbers")
    add("--encoder-layers", type=int, default=EncoderShape().layers, help=argparse.SUPPRESS)
    add("--encoder-width", type=int, default=EncoderShape().width, help=argparse.SUPPRESS)
    found = parser.parse_args(given)
    for name in ("limit", "rounds", "threads", "encoder_layers", "encoder_width"):
        if getattr(found, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if min(found.at_a_time) < 1:
        parser.error("--at-a-time must be at least 1")
    if found.presets is None:
        plan = shipped_plan(found.labels)
        found.presets = [] if plan is None or found.taggers else list(plan.presets)
    if found.baseline is not None:
        found.baseline_python = found.baseline_python or found.baseline / ".venv" / "bin" / "python"
        if not found.baseline_python.is_file():
            parser.error(f"{found.baseline_python}: no such file; name the checkout's Python with --baseline-python")
    return found


def sentences(path: Path, limit: int, seed: int) -> list[str]:
    """Different sentences of a file or of a folder's notes, drawn at random. UserError when they cannot be read."""
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    texts = [
        sentence.text for file in files for document in read_documents(file) for sentence in split_sentences(document)
    ]
    different = list(dict.fromkeys(texts))
    return random.Random(seed).sample(different, min(limit, len(different)))  # noqa: S311  a draw, no secret


def medner_options(options: argparse.Namespace, **changes: Any) -> dict[str, Any]:
    """Fields of Overrides that differ from its defaults."""
    given = {"labels": options.labels, "taggers": options.taggers, "model": options.model, **changes}
    return {key: value for key, value in given.items() if value is not None}


def planned_orders(options: argparse.Namespace, scratch: Path) -> list[Order]:
    """The sides to measure, with what each is started with."""
    medner = [
        *((f"medner {name}", medner_options(options, dtype=name)) for name in options.formats),
        *((f"medner {name}", medner_options(options, taggers=None, preset=name)) for name in options.presets),
    ]
    orders = [Order(name, sys.executable, {"kind": "medner", "options": given}) for name, given in medner]
    if "medner" not in options.sides:
        orders = []
    if "transformers" in options.sides:
        plain = next(name for name in measured_formats().order if name in ("f32", "bf16"))
        details = {"kind": "transformers", "format": plain, "options": medner_options(options)}
        orders.append(Order(f"transformers {plain}", sys.executable, details))
    if "encoder" in options.sides:
        orders += encoder_orders(options, scratch)
    if "baseline" in options.sides and options.baseline is not None:
        given = medner_options(options, taggers=options.baseline_taggers)
        python = str(options.baseline_python.absolute())
        details = {"kind": "medner", "options": given}
        orders.append(Order("baseline", python, details, package=options.baseline.resolve()))
    return orders


def encoder_orders(options: argparse.Namespace, scratch: Path) -> list[Order]:
    """The encoder in both formats; none, and one clear line, where a package is missing."""
    missing = [name for name in ("onnx", "onnxruntime") if find_spec(name) is None]
    if missing:
        print(f"encoder: left out, {' and '.join(missing)} not installed (pip install 'medner[bench]')", flush=True)
        return []
    shape = EncoderShape(options.encoder_layers, options.encoder_width)
    files = write_encoder(scratch, shape, integers=True)
    return [
        Order(
            f"encoder {name}",
            sys.executable,
            {"kind": "encoder", "format": name, "model": str(file), "threads": options.threads},
        )
        for name, file in files.items()
    ]


def planned_starts(options: argparse.Namespace) -> list[StartOrder]:
    """The commands whose first entity is waited for."""
    here = sys.executable
    shared = [f"--labels={options.labels}", *([f"--model={options.model}"] if options.model else [])]
    mine = [*shared, *([f"--taggers={options.taggers}"] if options.taggers else [])]
    orders = [StartOrder(f"medner {name}", here, (*mine, f"--dtype={name}")) for name in options.formats]
    orders += [StartOrder(f"medner {name}", here, (*shared, f"--preset={name}")) for name in options.presets]
    if "baseline" in options.sides and options.baseline is not None:
        theirs = [*shared, *([f"--taggers={options.baseline_taggers}"] if options.baseline_taggers else [])]
        orders.append(StartOrder("baseline", str(options.baseline_python.absolute()), tuple(theirs)))
    return orders


def facts(options: argparse.Namespace, texts: Sequence[str]) -> dict[str, Any]:
    """What the numbers were measured on and with."""
    found: dict[str, Any] = {
        "machine": machine_name(),
        "threads": options.threads,
        "cores": cores(),
        "commit": commit_of(HERE),
        "date": time.strftime("%Y-%m-%d"),
        "sentences": len(texts),
        "characters": round(sum(map(len, texts)) / len(texts), 1),
        "rounds": options.rounds,
        "seed": options.seed,
        "labels": options.labels,
        "taggers": options.taggers or "default",
    }
    if options.baseline is not None:
        found["baseline_commit"] = commit_of(options.baseline)
    return found


def commit_of(folder: Path) -> str:
    """The commit of a checkout, with a + where files differ from it."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own command
    except OSError:
        return "unknown"
    return done.stdout.strip() or "unknown"


def main(given: Sequence[str] | None = None) -> int:
    """Measures what was asked for; the exit code is 1 when nothing could be."""
    options = arguments(given)
    try:
        texts = sentences(options.sentences, options.limit, options.seed)
    except MednerError as error:
        print(f"engine.py: {error}", file=sys.stderr)
        return 2
    if not texts:
        print(f"engine.py: {options.sentences}: no sentences; give a corpus file or a folder of .txt", file=sys.stderr)
        return 2
    share_cores(options.threads)
    os.environ.update({"OMP_NUM_THREADS": str(options.threads), "MKL_NUM_THREADS": str(options.threads)})
    about = facts(options, texts)
    print("  ".join(f"{key}: {value}" for key, value in about.items()), flush=True)
    with tempfile.TemporaryDirectory(prefix="medner-bench-") as folder:
        scratch = Path(folder)
        (scratch / "sentences.json").write_text(json.dumps(texts), encoding="utf-8")
        orders = planned_orders(options, scratch)
        rows = measured_rounds(orders, scratch, options.rounds, options.at_a_time)
        print_table(rows, len(texts), options.reference)
        starts = measured_starts(planned_starts(options), scratch, options.rounds) if "start" in options.sides else []
        print_starts(starts)
    if options.json:
        options.json.write_text(json.dumps(as_json(about, rows, starts), indent=1) + "\n", encoding="utf-8")
    return 0 if rows or starts else 1
