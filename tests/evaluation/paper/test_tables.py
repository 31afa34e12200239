"""The tables: rows beside the paper's, numbers as counted by hand or elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from medner.core.errors import BadInputError
from medner.evaluation.measures.errors import ErrorClass
from medner.evaluation.paper.count_tables import cost_grid, filter_errors_grid, nested_errors_grid
from medner.evaluation.paper.figures import bases_figure, distances_figure, errors_figure
from medner.evaluation.paper.grid import Grid
from medner.evaluation.paper.manifest import load_manifest
from medner.evaluation.paper.score_tables import CONTENTS, score_grid
from medner.evaluation.paper.systems import Dataset, measure
from medner.evaluation.reports.report import Setting, compare
from medner.store.corpora import read_documents

from .conftest import GOLD, QUICK, wrong_in


def rows(grid: Grid) -> dict[str, list[str]]:
    """Row name -> the texts of its cells."""
    return {row[0].text: [cell.text for cell in row[1:]] for row in grid.rows}


def test_strategies_stand_in_the_papers_order_and_what_is_missing_says_so(dataset: Dataset) -> None:
    """Table 3 has tuned taggers on the main one's base: json and symbol, not the span tagger of another base."""
    found = rows(score_grid(dataset, 3))
    assert list(found) == ["JSON标注策略", "HTML标注策略", "索引标注策略", "符号标注策略"]
    assert found["HTML标注策略"][3:5] == ["not measured", "–"]
    assert found["JSON标注策略"][:4] == ["0.7086", "0.7726", "0.7392", "json"]
    assert found["符号标注策略"][6:] == ["0.5000", "", ""]


def test_a_difference_is_the_one_of_compare(dataset: Dataset) -> None:
    """Table 5: the filter against the main tagger, as `medner compare` computes it."""
    cells = next(row for row in score_grid(dataset, 5).rows if row[0].text == "+LLM-CLS")
    systems = {"a": wrong_in("123"), "b": wrong_in("12")}
    expected = compare(GOLD, systems, Setting(QUICK)).overall.difference.f1
    assert cells[8].text == f"{expected.delta:+.4f}"
    assert cells[8].bounds == f"[{expected.low:+.4f}, {expected.high:+.4f}]"
    assert cells[9].text == f"{expected.p_bootstrap:.4f}"


def test_ensembles_are_compared_with_the_best_member_and_the_vote(dataset: Dataset) -> None:
    """Table 7: members behind their filters, where the paper has a row for them; then votes, then the direct judge."""
    grid = score_grid(dataset, 7)
    assert grid.columns[8:] == ("F1 − best member symbol+llm-cls", "p", "F1 − hard-vote (2 of 3)", "p")
    measured = {name: cells[3] for name, cells in rows(grid).items()}
    assert measured == {
        "Qwen2.5+LLM-CLS": "not measured",
        "Llama3.1+LLM-CLS": "not measured",
        "GLM4+LLM-CLS": "symbol+llm-cls",
        "json": "json",
        "small+llm-cls": "small+llm-cls",
        "硬投票集成": "hard-vote",
        "oracle (reads the gold)": "oracle",
        "Qwen2.5-7B集成": "judge",
        "DS-R1-Qwen-7B集成": "not measured",
    }
    assert rows(grid)["oracle (reads the gold)"][7:] == ["", "", "", ""]


def test_two_members_have_no_majority(folder: Path) -> None:
    """What both of two say is no hard vote of the paper's; it stands in a row of its own."""
    path = folder / "cmeee-v2.toml"
    two = path.read_text(encoding="utf-8").replace("[[tagger]]", 'members = ["symbol", "json"]\n[[tagger]]', 1)
    path.write_text(two, encoding="utf-8")
    found = rows(score_grid(measure(load_manifest(path), path, QUICK), 7))
    assert found["硬投票集成"][3] == "not measured"
    assert found["hard-vote (2 of 2)"][3] == "hard-vote"


def test_prompts_are_compared_within_a_judge(dataset: Dataset) -> None:
    """Table 8: the direct prompt is the baseline of the same judge's thinking prompt."""
    found = rows(score_grid(dataset, 8))
    assert found["Qwen2.5-7B-Instruct 直接推理"][7:] == ["", ""]
    assert found["Qwen2.5-7B-Instruct 分步推理"][3] == "judge, thinking"
    assert found["Qwen2.5-7B-Instruct 分步推理"][7].startswith(("+", "-"))


def test_the_whole_method_is_compared_with_zero_shot(dataset: Dataset) -> None:
    """Table 9: other methods stay the paper's; a zero-shot model of ours gets a row before ours."""
    grid = score_grid(dataset, 9)
    assert grid.columns[8] == "F1 − best zero-shot untuned"
    found = rows(grid)
    names = list(found)
    assert names.index("untuned (zero-shot)") == names.index("Ours w/o ensemble") - 1
    assert found["untuned (zero-shot)"][6] == "0.0000"
    assert found["BERT-CRF"][3] == "not measured"
    assert (found["Ours w/o ensemble"][3], found["Ours"][3]) == ("symbol+llm-cls", "judge")


def test_other_bases_stand_with_and_without_the_filter(dataset: Dataset) -> None:
    """Table 11: the main tagger is not in it; bases the paper has not come last."""
    found = rows(score_grid(dataset, 11))
    assert list(found)[-2:] == ["small baseline", "small +LLM-CLS"]
    assert found["small +LLM-CLS"][7] == "+0.0000"


def test_costs_come_from_the_file_or_the_manifest(dataset: Dataset) -> None:
    """Table 4: the file's seconds, tokens and passes a sentence; the manifest's seconds carry a star."""
    grid = cost_grid(dataset)
    found = rows(grid)
    assert found["符号标注策略"][:8] == ["3.12", "19.27", "0.7615", "symbol", "0.50", "1.50", "20.0", "3.0"]
    assert found["JSON标注策略"][3:8] == ["json", "2.50*", "–", "–", "–"]
    assert len(grid.notes) == 2


def test_error_counts_and_their_change(dataset: Dataset) -> None:
    """Table 6: the filter takes away the one wrong type of document 3; fewer errors are the better."""
    found = rows(filter_errors_grid(dataset))
    assert found["基线"] == ["84", "252", "166", "139", "symbol", "2", "1", "0", "1"]
    assert found["Ours"][:2] == ["74 (-12 %)", "218 (-13 %)"]
    assert found["Ours"][4:] == ["symbol+llm-cls", "1 (-1, -50 %)", "1 (+0, +0 %)", "0 (+0, –)", "1 (+0, +0 %)"]


def test_nested_errors_of_the_whole_method(dataset: Dataset) -> None:
    """Table 12: the wrong boundary at the nested pair of document 1, which the judge gets right."""
    found = rows(nested_errors_grid(dataset))
    assert found["基线"][3:] == ["symbol", "0", "1", "0"]
    assert found["Ours"][3:] == ["judge", "0 (+0, –)", "0 (-1, -100 %)", "0 (+0, –)"]


def test_bases_stand_zero_shot_and_tuned(dataset: Dataset) -> None:
    """Figure 4: a base with both has their difference; the paper's bases that are not at hand follow."""
    figure = bases_figure(dataset)
    found = rows(figure.grid)
    assert list(found) == ["GLM-4-9B-Chat", "small-0.5b", "Llama-3.1-8B-Instruct", "Qwen2.5-7B-Instruct"]
    assert found["GLM-4-9B-Chat"][0] == "not measured"
    assert found["GLM-4-9B-Chat"][-1] == "0.7615"
    assert found["small-0.5b"][:3] == ["untuned (symbol)", "0.0000", "small (span)"]
    assert found["small-0.5b"][4].startswith("+")
    assert figure.chart is not None


def test_errors_by_class_sum_to_the_whole(dataset: Dataset) -> None:
    """Figure 5: the counts are those of the error table, the shares beside the paper's."""
    system = dataset.systems["symbol"]
    found = rows(errors_figure(dataset).grid)
    assert sum(int(cells[0]) for name, cells in found.items() if name != "all false positives") == system.errors.total
    assert found["missed"][0] == str(system.errors.overall[ErrorClass.MISSED])
    assert found["all false positives"][2] == "57.1 %"


def test_boundary_errors_by_distance(dataset: Dataset) -> None:
    """Figure 6: one error, one character off; the paper's share is said to be rough."""
    found = rows(distances_figure(dataset).grid)
    assert found["1"][:2] == ["1", "100.0 %"]
    assert found["within 2"] == ["1", "100.0 %", "about 50 %"]


def test_what_has_no_file_is_not_measured(folder: Path) -> None:
    """With one untuned tagger alone, every table but the ninth says in one line that it was not measured."""
    path = folder / "alone.toml"
    tagger = '[[tagger]]\nname = "a"\nstrategy = "symbol"\nfile = "half.jsonl"\nzero_shot = true\n'
    path.write_text(f'labels = "cmeee-v2"\ngold = "gold.jsonl"\n{tagger}', encoding="utf-8")
    alone = measure(load_manifest(path), path, QUICK)
    grids = {number: score_grid(alone, number) for number in CONTENTS}
    assert [number for number, grid in grids.items() if grid.rows] == [9]
    others = [cost_grid(alone), filter_errors_grid(alone), nested_errors_grid(alone)]
    others += [make(alone).grid for make in (bases_figure, errors_figure, distances_figure)]
    assert not any(grid.rows for grid in others)
    assert all("not measured" in grid.heading for grid in (*others, grids[3]))


def test_a_vote_needs_members(folder: Path) -> None:
    """A vote of one names the entry at fault."""
    path = folder / "vote.toml"
    tagger = '[[tagger]]\nname = "a"\nstrategy = "symbol"\nfile = "half.jsonl"\n[[ensemble]]\nkind = "hard-vote"\n'
    path.write_text(f'labels = "cmeee-v2"\ngold = "gold.jsonl"\n{tagger}', encoding="utf-8")
    with pytest.raises(BadInputError, match="two members, and there is 1") as caught:
        measure(load_manifest(path), path, QUICK)
    assert caught.value.key == "ensemble.0.kind"


def test_a_flat_corpus_has_no_nested_errors(folder: Path) -> None:
    """Table 12 says why it is empty where no gold entity is nested."""
    flat = [document for document in read_documents(folder / "gold.jsonl") if document.id != "1"]
    text = "".join(f'{{"id": "{one.id}", "text": "{one.text}"}}\n' for one in flat)
    (folder / "gold.jsonl").write_text(text, encoding="utf-8")
    path = folder / "flat.toml"
    taggers = "".join(f'[[tagger]]\nname = "{name}"\nstrategy = "symbol"\nfile = "gold.jsonl"\n' for name in ("a", "b"))
    path.write_text(
        f'labels = "cmeee-v2"\ngold = "gold.jsonl"\n{taggers}[[ensemble]]\nkind = "union"\n[[ensemble]]\n'
        'kind = "hard-vote"\n',
        encoding="utf-8",
    )
    found = measure(load_manifest(path), path, QUICK)
    assert "no gold entity is nested" in nested_errors_grid(found).heading
