"""Label Studio's requests, as Label Studio sends them (tests/label_studio runs the real one)."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import httpx
import pytest

from medner.service.config.options import Overrides
from medner.service.http.access.audit import audit_log
from medner.service.http.access.callers import Access
from medner.service.http.access.keys import KeyFile, KeyRing
from medner.service.http.allowed_options import AllowedOptions
from medner.service.http.scopes import Scope
from tests.http_kit import opened
from tests.service.http.conftest import Serving, until

TEXT = "患者😀胸痛3天。\r\n既往高血压，咳嗽。"
CODES = ("dis", "sym", "dru", "equ", "pro", "bod", "ite", "mic", "dep")


def config(*labels: str, text: str = '<Text name="note" value="$text"/>') -> str:
    """A labelling config with these `<Label/>`, or attributes of them."""
    inside = "".join(one if one.startswith("<") else f"<Label {one}/>" for one in labels)
    return f'<View><Labels name="ner" toName="note">{inside}</Labels>{text}</View>'


ALL = config(*(f'value="{code}"' for code in CODES))


def request(*texts: Any, of: str = ALL) -> dict[str, Any]:
    """What Label Studio sends to /predict, but for what medner does not read."""
    tasks = [{"id": at, "data": {"text": text}, "project": 1} for at, text in enumerate(texts, 11)]
    params = {"login": None, "password": None, "context": None}
    return {"tasks": tasks, "project": "1.1790000000", "label_config": of, "params": params}


def setup(of: str) -> dict[str, Any]:
    """What it sends to /setup."""
    return {"project": "1.1790000000", "schema": of, "hostname": "", "access_token": "t", "extra_params": None}


@asynccontextmanager
async def annotating(client: httpx.AsyncClient, working: Any) -> AsyncIterator[None]:
    """A worker that the server knows of, while the block lasts."""

    async def is_known() -> bool:
        return bool((await client.get("/health")).json()["workers"])

    async with working(opened):
        await until(is_known)
        yield


async def _told(client: httpx.AsyncClient, of: str, path: str = "/label-studio") -> str:
    """What Label Studio shows of a set-up that fails: the last URL, in words."""
    answer = await client.post(f"{path}/setup", json=setup(of), follow_redirects=True)
    assert answer.status_code == 409
    assert answer.json()["detail"] == unquote_plus(answer.url.path).removeprefix("/label-studio/problems/")
    return str(answer.json()["detail"])


async def test_predictions(client: httpx.AsyncClient, working: Any) -> None:
    """A prediction a task, in order, with places that count code points, whatever the line breaks."""
    async with annotating(client, working):
        ready = (await client.post("/label-studio/setup", json=setup(ALL))).json()
        answer = await client.post("/label-studio/predict", json=request(TEXT, "好转。", "咳嗽"))
    assert (await client.get("/label-studio/health")).json() == {"status": "UP", "model_class": "medner"}
    assert answer.status_code == 200
    first, second, third = answer.json()["results"]
    assert [(one["value"]["text"], one["value"]["labels"]) for one in first["result"]] == [
        ("胸痛", ["sym"]),
        ("高血压", ["dis"]),
        ("咳嗽", ["sym"]),
    ]
    for region in first["result"]:
        value = region["value"]
        assert TEXT[value["start"] : value["end"]] == value["text"]
        assert (region["from_name"], region["to_name"], region["type"]) == ("ner", "note", "labels")
    assert len({one["id"] for one in first["result"]}) == 3
    assert (second["result"], second["score"]) == ([], None)
    assert third["result"][0]["value"]["start"] == 0
    versions = (await client.get("/label-studio/versions")).json()["versions"]
    assert {first["model_version"], ready["model_version"], answer.json()["model_version"], *versions} == set(versions)
    assert ready["types"]["note"] == {code: code for code in CODES}


async def test_a_task_without_a_usable_text_does_not_stop_the_others(client: httpx.AsyncClient, working: Any) -> None:
    """It gets an empty prediction: with another number of predictions Label Studio would take none."""
    async with annotating(client, working):
        answer = await client.post("/label-studio/predict", json=request(None, "咳嗽", " \r\n", 7, "咳" * 200_001))
        assert (await client.post("/label-studio/predict", json=request("", ""))).json()["results"][1]["result"] == []
    assert [len(one["result"]) for one in answer.json()["results"]] == [0, 1, 0, 0, 0]


async def test_the_same_tasks_are_annotated_once(client: httpx.AsyncClient, working: Any) -> None:
    """Label Studio asks again where it gave up waiting; then the finished job answers."""
    async with annotating(client, working):
        first = (await client.post("/label-studio/predict", json=request(TEXT))).json()
        again = (await client.post("/label-studio/predict", json=request(TEXT))).json()
        await client.post("/label-studio/predict", json=request(TEXT + "。"))
        jobs = (await client.get("/v1/jobs")).json()["jobs"]
    assert first == again
    assert [(one["name"], one["priority"]) for one in jobs] == [("label-studio", "high")] * 2


MIXED = config(
    '<Label value="病" alias="DIS"/>',
    'value="临床表现" background="red"',
    'value="检查" predicted_values="pro, ite"',
    'value="其他" predicted_values=""',
)


async def test_labels_are_written_as_the_project_calls_them(client: httpx.AsyncClient, working: Any) -> None:
    """By alias, by Chinese name, by predicted_values; a project may have fewer types, and labels of its own."""
    async with annotating(client, working):
        types = (await client.post("/label-studio/setup", json=setup(MIXED))).json()["types"]
        found = (await client.post("/label-studio/predict", json=request(TEXT, of=MIXED))).json()["results"]
    assert types == {"note": {"dis": "DIS", "sym": "临床表现", "pro": "检查", "ite": "检查"}}
    assert [one["value"]["labels"] for one in found[0]["result"]] == [["临床表现"], ["DIS"], ["临床表现"]]


TWO = """<View>
  <Header value="主诉"/><Text name="a" value="$complaint.text"/><Text name="b" value="$history"/>
  <Labels name="sections" toName="a"><Label value="主诉"/><Label value="现病史"/></Labels>
  <labels name="ner" toName="a,b"><View><Label value="sym"/><Label value="dis"/></View></labels>
  <Choices name="c" toName="a"><Choice value="好"/></Choices>
</View>"""


async def test_several_texts_and_other_controls(client: httpx.AsyncClient, working: Any) -> None:
    """Each text gets its regions; controls that mark something else are left alone."""
    body = request("", of=TWO)
    body["tasks"][0]["data"] = {"complaint": {"text": "咳嗽"}, "history": "高血压"}
    async with annotating(client, working):
        assert (await client.post("/label-studio/setup", json=setup(TWO))).status_code == 200
        (found,) = (await client.post("/label-studio/predict", json=body)).json()["results"]
    assert [(one["to_name"], one["from_name"], one["value"]["text"]) for one in found["result"]] == [
        ("a", "ner", "咳嗽"),
        ("b", "ner", "高血压"),
    ]


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ("", "is no XML"),
        ("<View>", "is no XML"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]><View/>", "DOCTYPE"),
        ("<View><Text name='t' value='$text'/></View>", "no Labels"),
        (config('value="sym"', text='<HyperText name="note" value="$text"/>'), "HyperText"),
        (config('value="sym"', text='<Text name="other" value="$text"/>'), "'note', which is no Text"),
        (config('value="sym"', text='<Text name="note" value="text"/>'), "value='$text'"),
        (config('value="sym"', text='<Text name="note" value="$text" valueType="url"/>'), "URL"),
        (config('value="sym"', text='<Text name="note" value="$text" encoding="base64"/>'), "encoded"),
        (config(), "no Label of their own"),
        (config('value="Person"', 'value="症状"'), "called 'Person', '症状'; types without a label: dis"),
        (config('value="sym"', 'value="Drug"'), "called 'Drug'; types without a label: dis, pro"),
        (config('value="sym"', 'value="临床表现"'), "both stand for type sym"),
        (config('value="Drug" predicted_values="drug"'), "predicted_values 'drug' of Label 'Drug' is no type"),
    ],
)
async def test_what_does_not_fit_is_told_at_set_up(
    client: httpx.AsyncClient, working: Any, of: str, words: str
) -> None:
    """Label Studio shows the URL that it ends at, so the reason stands there; a prediction is refused the same way."""
    async with annotating(client, working):
        assert words in await _told(client, of)
    refused = await client.post("/label-studio/predict", json=request(TEXT, of=of))
    assert refused.status_code == 409
    assert words in refused.json()["detail"]


async def test_another_label_set_is_named_where_it_fits(client: httpx.AsyncClient, working: Any) -> None:
    """The URL that Label Studio connects names the label set."""
    of = config('value="疾病和诊断"', 'value="影像检查"', 'value="药物"')
    async with annotating(client, working):
        assert (await _told(client, of)).endswith("ccks2019 fits: connect ∕label-studio∕ccks2019 instead")
        ready = await client.post("/label-studio/ccks2019/setup", json=setup(of))
        assert len(ready.json()["types"]["note"]) == 3
    for name in ("none", "🏻"):
        assert f"no label set '{name}'" in (await client.get(f"/label-studio/{name}/versions")).json()["detail"]


async def test_without_a_worker_it_does_not_connect(client: httpx.AsyncClient) -> None:
    """Predictions would never come, and nothing would say why."""
    assert "start medner worker" in await _told(client, ALL)


async def test_a_label_set_of_ones_own(serving: Serving, working: Any, tmp_path: Path) -> None:
    """The default of the server counts where the URL names none."""
    offer = AllowedOptions(Overrides(labels="ccks2019", taggers="html:full", judge="hard-vote"))
    async with serving(offer=offer) as client, annotating(client, working):
        assert (await client.post("/label-studio/setup", json=setup(config('value="手术"')))).status_code == 200


async def test_training_is_refused_with_the_way_out(client: httpx.AsyncClient) -> None:
    """Other events are taken and thrown away."""
    answer = await client.post("/label-studio/webhook", json={"action": "START_TRAINING"}, follow_redirects=True)
    assert "medner train" in answer.json()["detail"]
    assert (await client.post("/label-studio/webhook", json={"action": "ANNOTATION_CREATED"})).status_code == 200


async def test_keys_come_as_basic_auth(serving: Serving, working: Any, tmp_path: Path) -> None:
    """The password is the key; the user's name does not matter. Predictions need the scope `submit`."""
    file = KeyFile(tmp_path / "api-keys.json")
    keys = {name: file.add(name, scopes) for name, scopes in (("ls", [Scope.SUBMIT]), ("reader", [Scope.READ]))}
    async with serving(access=Access(KeyRing(file))) as client, annotating(client, working):
        assert (await client.get("/label-studio/health")).status_code == 401
        for header in (
            "Basic",
            "Basic !",
            "Basic " + base64.b64encode(b"\xff:\xff").decode(),
            "Basic bm8=",
            "Basic Og==",
        ):
            assert (await client.get("/label-studio/health", headers={"Authorization": header})).status_code == 401
        assert (await client.get("/label-studio/health", auth=("any", "wrong"))).status_code == 401
        assert (await client.get("/label-studio/health", auth=("any", keys["reader"]))).status_code == 200
        assert (
            await client.post("/label-studio/setup", json=setup(ALL), auth=("a", keys["reader"]))
        ).status_code == 403
        assert (await client.post("/label-studio/setup", json=setup(ALL), auth=("a", keys["ls"]))).status_code == 200
        assert (await client.post("/label-studio/predict", json=request(TEXT), auth=("a", keys["ls"]))).is_success
        assert (await client.get("/label-studio/problems/so+it+is")).json()["detail"] == "so it is"
    entry = audit_log().page(10, None).entries[0]
    assert (entry.who, entry.what, entry.outcome) == ("ls", "annotate", "done")


async def test_no_text_reaches_the_log(
    client: httpx.AsyncClient, working: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither a note's nor a wrong request's."""
    caplog.set_level("DEBUG")
    async with annotating(client, working):
        await client.post("/label-studio/predict", json=request(TEXT, "咳" * 200_001))
        await client.post("/label-studio/predict", json={"tasks": TEXT})
    assert not [record for record in caplog.records if "咳" in str(record.__dict__)]
