"""The paper's tables for what ships: annotates the test files with each system, one after another, and reports.

    python benchmarks/paper.py --cmeee test.json --ccks test_half.txt -o build/paper

Each system is a run of `medner annotate` into a file of its own; filters and judges get the recorded answers of the
taggers (--answers), so that no sentence is tagged twice by one tagger. A file made by the same command is kept, and a
run that was stopped goes on, so the same command goes on after a break. Seconds a sentence are those of the whole run,
model loading left out, as its last line of progress says; they mean something on an idle machine only. At the end
`medner report paper` writes paper.html and paper.md into the folder; in its folder `strategies` stands the same with
the generating taggers as the members of the ensemble.

Filters other than the one that ships come from `medner train filter`: --filter llm-causal=runs/causal/adapter.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from medner.core.choices import DEFAULT_MODEL
from medner.service.config.filters import FILTERS

BASE = DEFAULT_MODEL
STRATEGIES = ("symbol", "json", "html", "index")
#: The taggers of the default, which the ensembles are made of.
SPANS = ("span-8", "span-12")
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
    note: str = ""

    def annotate(self, name: str, *options: str) -> Path:
        """The predictions of one system; made where the same command has not made them yet."""
        self.folder.mkdir(parents=True, exist_ok=True)
        out, made_by = self.folder / f"{name}.jsonl", self.folder / f"{name}.command"
        command = ["annotate", str(self.gold), "--labels", self.labels, "-o", str(out), *options]
        if out.is_file() and made_by.is_file() and json.loads(made_by.read_text(encoding="utf-8")) == command:
            return out
        print(f"{name}: medner {' '.join(command)}", flush=True)
        with (self.folder / f"{name}.log").open("a", encoding="utf-8") as log:
            done = subprocess.run([*MEDNER, *command], stdout=log, stderr=log, check=False)  # noqa: S603  our own
        if done.returncode:
            # 1: sentences failed; the same command tries them again.
            sys.exit(f"{name}: ended with code {done.returncode}; see {log.name}, then say the same again")
        made_by.write_text(json.dumps(command), encoding="utf-8")
        return out

    def seconds(self, name: str) -> float | None:
        """How long a sentence took in the whole run, by its log."""
        log = self.folder / f"{name}.log"
        found = SPEED.findall(log.read_text(encoding="utf-8")) if log.is_file() else []
        return round(1 / float(found[-1][1]), 3) if found and float(found[-1][1]) > 0 else None

    def head(self) -> str:
        """What its manifest begins with."""
        facts = {"labels": self.labels, "gold": str(self.gold.resolve()), "dataset": f"{self.labels} {self.gold.name}"}
        return entry("", **facts, configuration=self.note)

    def tagger(self, name: str, strategy: str, **more: object) -> str:
        """A manifest's entry of a tagger."""
        seconds = self.seconds(name)
        timed = {} if seconds is None else {"seconds": seconds}
        return entry("tagger", name=name, strategy=strategy, base=BASE, file=f"{name}.jsonl", **timed, **more)


def entry(table: str, **keys: object) -> str:
    """A table of a manifest, or its first lines. JSON's strings, numbers, lists and truths are TOML's too."""
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items()]
    return "\n".join([f"[[{table}]]", *lines, ""] if table else [*lines, ""])


def shipped(labels: str) -> list[str]:
    """The taggers that ship for a label set."""
    folder = Path(__file__).parents[1] / "models" / labels
    cards = ((card.parent.name, tomllib.loads(card.read_text(encoding="utf-8"))) for card in folder.glob("*/card.toml"))
    return [name for name, card in cards if "strategy" in card or card.get("kind") == "span"]


def cmeee(place: Place, filters: dict[str, str], judges: Sequence[str], exemplars: Path | None) -> Iterator[str]:
    """Makes the predictions for CMeEE-V2; gives the manifest's entries."""
    yield place.head()
    yield entry("", main=MAIN, members=SPANS, final="soft vote (the default)")
    made: dict[str, Path] = {}
    for name in (one for one in (*STRATEGIES, *SPANS) if one in shipped(place.labels)):
        made[name] = place.annotate(name, "--taggers", name, *ALONE)
        yield place.tagger(name, name if name in STRATEGIES else "span")
    place.annotate("untuned", "--taggers", "json:plain", *ALONE)
    yield place.tagger("untuned", "json", zero_shot=True)
    for kind, folder in filters.items():
        name, said = f"{MAIN}+{kind}", str(made[MAIN])
        out = place.annotate(name, "--taggers", MAIN, "--answers", said, "--filter", folder, "--judge", "best-tagger")
        yield entry("filter", kind=kind, of=MAIN, name=name, file=out.name)
    for kind in ("hard-vote", "union", "oracle"):
        yield entry("ensemble", kind=kind)
    default = place.annotate("default")
    yield entry("ensemble", kind="soft-vote", name="soft vote (the default)", file=default.name)
    recorded = [word for name in SPANS for word in ("--answers", str(made[name]))]
    for judge in judges:
        options = ["--taggers", ",".join(SPANS), *recorded, "--filter", "off", "--judge", judge]
        out = place.annotate(f"judge-{judge}", *options)
        yield entry("judge", name=judge, base=BASE, mode=judge, file=out.name)
        if exemplars is not None:
            name = f"{judge}, exemplars of the corpus"
            out = place.annotate(f"judge-{judge}-corpus", *options, "--exemplars", str(exemplars))
            yield entry("judge", name=name, base=BASE, mode=judge, file=out.name)


def ccks(place: Place) -> Iterator[str]:
    """Makes the predictions for CCKS2019; gives the manifest's entries."""
    yield place.head()
    for name in shipped(place.labels):
        place.annotate(name, "--taggers", name, *ALONE)
        yield place.tagger(name, "span")


def strategies(place: Place) -> Iterator[str]:
    """The manifest's entries for the generating taggers as an ensemble, of predictions that are there."""
    made = [name for name in STRATEGIES if (place.folder / f"{name}.jsonl").is_file()]
    yield place.head()
    yield entry("", main=MAIN, members=made, final="hard-vote")
    yield from (place.tagger(name, name) for name in made)
    yield from (entry("ensemble", kind=kind) for kind in ("hard-vote", "union", "oracle"))


def written(place: Place, entries: Iterator[str], name: str = "manifest") -> str:
    """The manifest of the entries, beside the predictions."""
    text = "\n".join(entries)
    path = place.folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def report(manifests: Sequence[str], out: Path) -> int:
    """`medner report paper`; its exit code."""
    command = [*MEDNER, "report", "paper", *manifests, "-o", str(out)]
    return subprocess.run(command, check=False).returncode  # noqa: S603  our own command


def a_filter(said: str) -> tuple[str, str]:
    """KIND=FOLDER; ArgumentTypeError for another kind, or no folder."""
    kind, _, folder = said.partition("=")
    if kind not in FILTERS.with_adapter or not Path(folder, "card.toml").is_file():
        kinds = ", ".join(FILTERS.with_adapter)
        raise argparse.ArgumentTypeError(f"{said!r}: say KIND=FOLDER, of {kinds} and what medner train filter wrote")
    return kind, folder


def main() -> int:
    """Makes what is not there, then the report; the exit code is the report's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cmeee", type=Path, help="CMeEE-V2's test file")
    parser.add_argument("--ccks", type=Path, help="CCKS2019's test file")
    parser.add_argument(
        "--filter",
        action="append",
        default=[],
        type=a_filter,
        metavar="KIND=FOLDER",
        help="a further filter, or an llm-cls in the place of the one that ships",
    )
    parser.add_argument(
        "--judge",
        action="append",
        default=[],
        choices=["select", "rewrite"],
        help="the base model as a judge of the two span taggers' conflicts",
    )
    parser.add_argument("--exemplars", type=Path, help="each judge also with this folder's (medner exemplars build)")
    parser.add_argument("--note", default="", help="printed with the numbers: what they were measured on")
    parser.add_argument("-o", "--out", type=Path, default=Path("build/paper"))
    given = parser.parse_args()
    if given.cmeee is None:
        print("skipped: needs --cmeee, CMeEE-V2's test file, which is research data and no part of medner")
        return 0
    filters = {"llm-cls": "llm-cls"} | dict(given.filter)
    place = Place("cmeee-v2", given.cmeee, given.out / "cmeee-v2", given.note)
    manifests = [written(place, cmeee(place, filters, given.judge, given.exemplars))]
    if given.ccks is not None:
        other = Place("ccks2019", given.ccks, given.out / "ccks2019", given.note)
        manifests.append(written(other, ccks(other)))
    code = report(manifests, given.out)
    return code or report([written(place, strategies(place), "strategies")], given.out / "strategies")


if __name__ == "__main__":
    sys.exit(main())
