"""Judges on conflicts of real taggers, one half of the texts to learn from, the other to be judged.

    python benchmarks/judges.py predictions.jsonl                                   # rules, the linear layer
    python benchmarks/judges.py predictions.jsonl --write-half half.jsonl --write-unseen unseen.jsonl
    medner train span gold.json --exclude test.json --exclude unseen.jsonl -o runs/start     # a judge starts from it
    medner train judge --side-by-side half.jsonl --start runs/start/adapter -o runs/judge
    python benchmarks/judges.py predictions.jsonl --trained runs/judge/adapter --minutes 20
    python benchmarks/judges.py predictions.jsonl --zero-shot qwen2.5-coder-0.5b-instruct --minutes 20

    medner annotate test.json --format cmeee -o answers.jsonl
    python benchmarks/judges.py answers.jsonl --gold test.json --zero-shot qwen2.5-coder-0.5b-instruct

The file holds a line a sentence: text, gold, and each tagger's entities as [start, end_inclusive, type]. With --gold it
is what `medner annotate` wrote about the gold file with several taggers. --write-half writes what a judge may learn
from, --write-unseen the texts of the other half and those that `medner train judge` holds back: a model that the judge
starts from must not have learnt from either. Halves are by the text's hash. A judge with a
model settles as many sentences of the second half as its minutes allow, in an order drawn by the seed; it and every
other are then scored on these same sentences too, with paired intervals.
"""

from __future__ import annotations

if __name__ == "__main__":
    from judge_sides.command import main

    main()
