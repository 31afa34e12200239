"""The paper's tables for what ships: annotates the test files with each system, one after another, and reports.

    python benchmarks/paper.py --cmeee test.json --ccks test_half.txt -o build/paper

Each system is a run of `medner annotate` into a file of its own; behind filters and judges stand the recorded answers
of the taggers (--said), so that no sentence is tagged twice by one tagger. A file that is there is kept, and a run that
was stopped goes on, so the same command goes on after a break. Seconds a sentence are those of the whole run, model
loading left out, as its last line of progress says; they mean something on an idle machine only. At the end
`medner report paper` writes paper.html and paper.md into the folder, and `medner evaluate --ensembles` says what the
four strategies are worth together.

Filters other than the one that ships come from `medner train filter`: --filter llm-causal=runs/causal/adapter.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

BASE = "qwen2.5-coder-0.5b-instruct"
STRATEGIES = ("symbol", "json", "html", "index")
SPANS = ("span", "span-gold")
MAIN = "symbol"
ALONE = ("--filter", "off", "--judge", "best-tagger")
SPEED = re.compile(r"of ([\d,]+) sentences, ([\d.]+) sentences/s")
MEDNER = (sys.executable, "-m", "medner.service.cli")


@dataclass(frozen=True, slots=True)
class Place:
    """A test file and the folder its predictions go to."""

    labels: str
    gold: Path
    folder: Path

    def annotate(self, name: str, *options: str) -> Path:
        """The predictions of one system; made where they are not there."""
        out = self.folder / f"{name}.jsonl"
        if not out.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            command = [*MEDNER, "annotate", str(self.gold), "--labels", self.labels, "-o", str(out), *options]
            print(f"{name}: {' '.join(command[2:])}", flush=True)
            with (self.folder / f"{name}.log").open("a", encoding="utf-8") as log:
                done = subprocess.run(command, stdout=log, stderr=log, check=False)  # noqa: S603  our own command
            if done.returncode or not out.is_file():
                sys.exit(f"{name}: ended with code {done.returncode}; see {log.name}")
        return out

    def seconds(self, name: str) -> float | None:
        """How long a sentence took in the whole run, by its log."""
        log = self.folder / f"{name}.log"
        found = SPEED.findall(log.read_text(encoding="utf-8")) if log.is_file() else []
        return round(1 / float(found[-1][1]), 3) if found and float(found[-1][1]) > 0 else None


def shipped(labels: str) -> list[str]:
    """The taggers that ship for a label set."""
    folder = Path(__file__).parents[1] / "models" / labels
    cards = ((card.parent.name, tomllib.loads(card.read_text(encoding="utf-8"))) for card in folder.glob("*/card.toml"))
    return [name for name, card in cards if "strategy" in card or card.get("kind") == "span"]


def cmeee(place: Place, filters: dict[str, str], judges: Sequence[str], exemplars: Path | None) -> Iterator[str]:
    """Makes the predictions for CMeEE-V2; gives the manifest's lines."""
    there = shipped(place.labels)
    yield from head(place, "CMeEE-V2 test.json")
    yield f'main = "{MAIN}"\nmembers = {list(SPANS)}\nsingle = "{SPANS[-1]}"\nfinal = "default: soft vote"\n'
    for name in (*(one for one in STRATEGIES if one in there), *SPANS):
        place.annotate(name, "--taggers", name, *ALONE)
        yield from tagger(place, name, name if name in STRATEGIES else "span")
    place.annotate("untuned", "--taggers", "json:plain", *ALONE)
    yield from tagger(place, "untuned", "json", zero_shot=True)
    answers = str(place.annotate(MAIN))
    for kind, folder in filters.items():
        out = place.annotate(f"{MAIN}+{kind}", "--taggers", MAIN, "--said", answers, "--filter", folder)
        yield f'[[filter]]\nkind = "{kind}"\nof = "{MAIN}"\nfile = "{out.name}"\n'
    yield from (
        '[[ensemble]]\nkind = "hard-vote"\n',
        '[[ensemble]]\nkind = "union"\n',
        '[[ensemble]]\nkind = "oracle"\n',
    )
    default = place.annotate("default")
    yield f'[[ensemble]]\nkind = "soft-vote"\nname = "default: soft vote"\nfile = "{default.name}"\n'
    said = [word for name in SPANS for word in ("--said", str(place.annotate(name)))]
    for judge in judges:
        options = ["--taggers", ",".join(SPANS), *said, "--filter", "off", "--judge", judge]
        out = place.annotate(f"judge-{judge.replace(':', '-')}", *options)
        yield from judge_entry(judge, out)
        if exemplars is not None:
            out = place.annotate(f"judge-{judge.replace(':', '-')}-corpus", *options, "--exemplars", str(exemplars))
            yield from judge_entry(f"{judge}, exemplars of the corpus", out)


def ccks(place: Place) -> Iterator[str]:
    """Makes the predictions for CCKS2019; gives the manifest's lines."""
    yield from head(place, "CCKS2019, half of the test file")
    place.annotate("span", "--taggers", "span", *ALONE)
    yield from tagger(place, "span", "span")


def head(place: Place, title: str) -> Iterator[str]:
    """What a manifest begins with."""
    yield f'labels = "{place.labels}"\ngold = "{place.gold.resolve()}"\ndataset = "{title}"\n'


def tagger(place: Place, name: str, strategy: str, *, zero_shot: bool = False) -> Iterator[str]:
    """A manifest's entry of a tagger."""
    yield f'[[tagger]]\nname = "{name}"\nstrategy = "{strategy}"\nbase = "{BASE}"\nfile = "{name}.jsonl"\n'
    if zero_shot:
        yield "zero_shot = true\n"
    if (seconds := place.seconds(name)) is not None:
        yield f"seconds = {seconds}\n"


def judge_entry(name: str, file: Path) -> Iterator[str]:
    """A manifest's entry of a judge."""
    yield f'[[judge]]\nname = "{name}"\nbase = "{BASE}"\nfile = "{file.name}"\n'


def main() -> None:
    """Makes what is not there, then the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cmeee", type=Path, required=True, help="CMeEE-V2's test file")
    parser.add_argument("--ccks", type=Path, help="CCKS2019's test file")
    parser.add_argument(
        "--filter", action="append", default=[], metavar="KIND=FOLDER", help="a further filter, or another llm-cls"
    )
    parser.add_argument(
        "--judge", action="append", default=[], help="judges of the two span taggers' conflicts: select"
    )
    parser.add_argument("--exemplars", type=Path, help="each judge also with this folder's (medner exemplars build)")
    parser.add_argument("-o", "--out", type=Path, default=Path("build/paper"))
    given = parser.parse_args()
    filters = {"llm-cls": "llm-cls"} | dict(one.split("=", 1) for one in given.filter)
    place = Place("cmeee-v2", given.cmeee, given.out / "cmeee-v2")
    manifests = [written(place, cmeee(place, filters, given.judge, given.exemplars))]
    if given.ccks is not None:
        other = Place("ccks2019", given.ccks, given.out / "ccks2019")
        manifests.append(written(other, ccks(other)))
    subprocess.run([*MEDNER, "report", "paper", *map(str, manifests), "-o", str(given.out)], check=True)  # noqa: S603
    files = [str(place.folder / f"{name}.jsonl") for name in STRATEGIES if name in shipped(place.labels)]
    if len(files) > 1:
        command = [*MEDNER, "evaluate", str(place.gold), *files, "--labels", place.labels, "--ensembles"]
        subprocess.run(command, check=True)  # noqa: S603  our own command


def written(place: Place, lines: Iterator[str]) -> Path:
    """The manifest of the lines, beside the predictions."""
    text = "".join(lines)
    path = place.folder / "manifest.toml"
    path.write_text(text, encoding="utf-8")
    return path


if __name__ == "__main__":
    main()
