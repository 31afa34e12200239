"""Which entities of a corpus are embedded."""

from pathlib import Path

import pytest

from medner.core.errors import UserError
from medner.core.labels import load_label_set
from medner.training.exemplars.mentions import ExemplarMention, Selection, gather_mentions, input_hash
from tests.exemplar_corpus import DISEASES, marked, write_corpus

LABELS = load_label_set("cmeee-v2")


def test_an_entity_counts_once_where_it_stands_first(tmp_path: Path) -> None:
    """Text and type together are an entity; its context is the sentence, not the record, and types keep their order."""
    records = [
        marked("a", "无发热。咳嗽两天。", [("咳嗽", "sym")]),
        marked("b", "咳嗽好转，肺炎吸收。", [("咳嗽", "sym"), ("肺炎", "dis")]),
        marked("c", "诊为咳嗽变异性哮喘。", [("咳嗽", "dis")]),
    ]
    found = gather_mentions([write_corpus(tmp_path / "a.jsonl", records)], Selection(LABELS))
    assert found.chosen == (
        ExemplarMention("肺炎", "dis", "咳嗽好转，肺炎吸收。", 5),
        ExemplarMention("咳嗽", "dis", "诊为咳嗽变异性哮喘。", 2),
        ExemplarMention("咳嗽", "sym", "咳嗽两天。", 0),
    )
    assert (found.distinct["dis"], found.distinct["sym"], found.distinct["bod"]) == (2, 1, 0)


def test_white_space_at_an_edge_is_no_part_of_an_entity(tmp_path: Path) -> None:
    """Some corpora annotate it; the exemplar is the same without, and white space alone is none."""
    records = [marked("a", "考虑 肺炎 可能。", [(" 肺炎 ", "dis"), (" ", "sym")])]
    found = gather_mentions([write_corpus(tmp_path / "a.jsonl", records)], Selection(LABELS))
    assert found.chosen == (ExemplarMention("肺炎", "dis", "考虑 肺炎 可能。", 3),)


def test_sentences_of_a_test_set_are_left_out(tmp_path: Path) -> None:
    """A sentence counts as excluded even where the record around it is another."""
    train = write_corpus(
        tmp_path / "a.jsonl",
        [
            marked("a", "今晨咳嗽。考虑肺炎。", [("咳嗽", "sym"), ("肺炎", "dis")]),
            marked("b", "头晕。", [("头晕", "sym")]),
        ],
    )
    test = write_corpus(tmp_path / "t.jsonl", [marked("t", "考虑肺炎。明日复查。", []), marked("u", "头晕。", [])])
    found = gather_mentions([train], Selection(LABELS), exclude=[test])
    assert [one.text for one in found.chosen] == ["咳嗽"]
    assert found.excluded == 2
    with pytest.raises(UserError, match="no entity is left"):
        gather_mentions([train], Selection(LABELS), exclude=[train])


def test_a_large_type_is_sampled_by_the_seed(tmp_path: Path) -> None:
    """At most so many of a type, the same ones for the same seed; the count of all is kept."""
    path = write_corpus(tmp_path / "a.jsonl")

    def chosen(seed: int) -> list[str]:
        found = gather_mentions([path], Selection(LABELS, max_per_type=4, seed=seed))
        assert found.distinct["dis"] == len(DISEASES)
        assert [one.label for one in found.chosen] == ["dis"] * 4 + ["sym"] * 3 + ["dru"]
        return [one.text for one in found.chosen]

    assert chosen(1) == chosen(1) != chosen(2)


def test_an_entity_across_sentences_is_counted(tmp_path: Path) -> None:
    """What lies in no single sentence has no context to be embedded in."""
    records = [marked("a", "咳嗽。发热。", [("嗽。发", "sym"), ("发热", "sym")])]
    found = gather_mentions([write_corpus(tmp_path / "a.jsonl", records)], Selection(LABELS))
    assert ([one.text for one in found.chosen], found.cut) == (["发热"], 1)


def test_a_folder_has_a_hash_of_its_files(tmp_path: Path) -> None:
    """It changes with a file's content and name, and not with where the folder lies."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("咳嗽")
    assert input_hash(tmp_path / "one") == input_hash(tmp_path / "two") != input_hash(tmp_path / "one" / "a.txt")
    (tmp_path / "two" / "a.txt").rename(tmp_path / "two" / "b.txt")
    assert input_hash(tmp_path / "one") != input_hash(tmp_path / "two")
