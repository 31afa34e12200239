"""Label Studio with medner as its machine-learning backend: connected, predicting, corrected, exported, read back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

import medner
from tests.http_kit import Served, environment, served, working
from tests.label_studio.studio import EMAIL, PASSWORD, Studio

#: Emoji outside the BMP, CR LF, empty lines and a rare Han character before what is marked.
NOTE = "患者😀𬌗面胸痛3天。\r\n既往高血压，\n\n  咳嗽，查心电图。\r\n"
OTHER = "好转，无咳嗽。"
#: How a project shows Chinese names and writes codes; one type is called by a name of the project's own.
CONFIG = """<View>
  <Labels name="ner" toName="note">
    <Label value="疾病" alias="dis"/><Label value="临床表现" alias="sym"/>
    <Label value="检查" alias="exam" predicted_values="pro,ite"/><Label value="其他" predicted_values=""/>
  </Labels>
  <Text name="note" value="$text"/>
</View>"""
STRANGE = """<View>
  <Labels name="a" toName="t"><Label value="Drug"/><Label value="sym"/></Labels><Text name="t" value="$text"/>
</View>"""


@pytest.fixture(scope="module")
def project(label_studio: Studio, server: Served) -> int:
    """A project with two notes and medner connected."""
    number = label_studio.project(CONFIG, [{"text": NOTE, "id": "n1"}, {"text": OTHER, "id": "n2"}])
    _until_known(server)
    answer = label_studio.connect(number, f"{server.url}/label-studio")
    assert answer.status_code == 201, answer.text
    assert answer.json()["readable_state"] == "Connected"
    return number


def _until_known(server: Served) -> None:
    """Until the server knows of its worker."""
    for _ in range(600):
        if httpx.get(f"{server.url}/health").json()["workers"]:
            return
        subprocess.run(["sleep", "0.1"], check=True)  # noqa: S607
    raise AssertionError("no worker came")


@pytest.fixture(scope="module")
def page(chromium: Browser, label_studio: Studio) -> Page:
    """A browser, logged in."""
    found = chromium.new_page()
    found.goto(f"{label_studio.url}/user/login")
    found.fill("input[name=email]", EMAIL)
    found.fill("input[name=password]", PASSWORD)
    found.click("button[type=submit]")
    found.wait_for_url(f"{label_studio.url}/**")
    return found


def test_labels_that_do_not_fit_are_named_where_the_backend_is_connected(label_studio: Studio, server: Served) -> None:
    """The message in Label Studio names the label, the types that have none, and the way out."""
    _until_known(server)
    refused = label_studio.connect(label_studio.project(STRANGE), f"{server.url}/label-studio")
    assert refused.status_code == 400
    (told,) = refused.json()["validation_errors"]["non_field_errors"]
    for words in ("called+'Drug'", "types+without+a+label:+dis,+", "predicted_values='CODE'"):
        assert words in told
    assert "%" not in told


def test_predictions_come_with_score_and_version(label_studio: Studio, project: int, server: Served) -> None:
    """Retrieved for all tasks, and for the next one; places are those of the text, whatever is in it."""
    first, second = label_studio.tasks(project)
    found = label_studio.retrieve(project)
    texts = {first: NOTE, second: OTHER}
    seen: dict[int, list[tuple[str, ...]]] = {task: [] for task in texts}
    for task, prediction in found.items():
        assert prediction["model_version"].startswith("medner-")
        assert "score" in prediction
        for region in prediction["result"]:
            value = region["value"]
            assert texts[task][value["start"] : value["end"]] == value["text"]
            seen[task].append((value["text"], *value["labels"]))
    assert seen == {first: [("胸痛", "sym"), ("高血压", "dis"), ("咳嗽", "sym")], second: [("咳嗽", "sym")]}
    (following,) = label_studio.checked("GET", f"/api/projects/{project}/next")["predictions"]
    assert following["result"] == found[first]["result"]
    (backend,) = label_studio.checked("GET", f"/api/ml?project={project}")
    assert backend["model_version"] == found[first]["model_version"]
    versions = label_studio.checked("GET", f"/api/ml/{backend['id']}/versions")["versions"]
    assert versions == [backend["model_version"]]


def test_annotators_see_correct_and_submit_predictions(
    label_studio: Studio, project: int, page: Page, tmp_path: Path
) -> None:
    """The page marks what was predicted; what two people submit is exported and read back, each one's work."""
    page.goto(f"{label_studio.url}/projects/{project}/data?labeling=1")
    marks = page.locator(".htx-highlight")
    expect(marks).to_have_text(["胸痛", "高血压", "咳嗽"], timeout=60_000)
    marks.nth(1).click()  # corrected: what it is
    page.get_by_text("检查", exact=True).first.click()
    with page.expect_response(lambda one: "/annotations" in one.url and one.request.method == "POST") as sent:
        page.get_by_test_id("bottombar-submit-button").click()
    assert sent.value.ok
    _annotate_as_another(label_studio, project)
    for form, name in (("JSON", "export.json"), ("JSON_MIN", "minimal.json")):
        (tmp_path / name).write_bytes(label_studio.export(project, form))
        found = [one for one in medner.read(tmp_path / name, annotator="*") if one.text == NOTE]
        # In JSON-MIN the task's number takes the place of the id that was imported.
        task = str(label_studio.tasks(project)[0])
        assert {one.id.partition("@")[0] for one in found} == {"n1" if form == "JSON" else task}
        assert len({one.id for one in found}) == 2
        assert sorted(_entities(one) for one in found) == [
            [("胸痛", "sym")],
            [("胸痛", "sym"), ("高血压", "exam"), ("咳嗽", "sym")],
        ]


def _annotate_as_another(label_studio: Studio, project: int) -> None:
    person = label_studio.checked(
        "POST", "/api/users", json={"email": "second@example.org", "username": "second", "password": "a-second-word"}
    )
    at = NOTE.index("胸痛")
    value = {"start": at, "end": at + 2, "text": "胸痛", "labels": ["sym"]}
    result = {"id": "x", "from_name": "ner", "to_name": "note", "type": "labels", "value": value}
    work = {"result": [result], "completed_by": person["id"]}
    label_studio.checked("POST", f"/api/tasks/{label_studio.tasks(project)[0]}/annotations", json=work)


def _entities(document: medner.Document) -> list[tuple[str, str]]:
    return [(one.text, one.label) for one in document.entities]


def test_gold_is_trained_on_as_it_is_exported(label_studio: Studio, project: int, tmp_path: Path) -> None:
    """`medner convert` takes the export; the ids are those that were imported."""
    (tmp_path / "export.json").write_bytes(label_studio.export(project, "JSON"))
    command = [sys.executable, "-m", "medner.service.cli", "convert", "export.json", "--to", "cmeee", "-o"]
    for out, more, number in (("all", [], 2), ("each", ["--annotator", "*"], 2), ("second", ["--annotator", "2"], 1)):
        done = subprocess.run(  # noqa: S603
            [*command, f"{out}.json", *more], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert ("1 tasks that nobody annotated (read without entities" in done.stderr) == (out == "all")
        assert len(medner.read(tmp_path / f"{out}.json", format="cmeee")) == number, done.stderr


def test_keys_are_sent_as_basic_auth(label_studio: Studio, tmp_path: Path) -> None:
    """The password is the key; without it Label Studio says that it is missing."""
    home = tmp_path / "home"
    home.mkdir()
    add = [sys.executable, "-m", "medner.service.cli", "serve", "keys", "add", "studio", "--scopes", "submit"]
    key = subprocess.run(add, env=environment(home), capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603
    with served(home) as running, working(home):
        _until_known(running)
        number = label_studio.project(CONFIG, [{"text": OTHER}])
        refused = label_studio.connect(number, f"{running.url}/label-studio")
        assert "authentication parameters" in refused.text
        auth = {"auth_method": "BASIC_AUTH", "basic_auth_user": "medner", "basic_auth_pass": key}
        assert label_studio.connect(number, f"{running.url}/label-studio", **auth).status_code == 201
        (prediction,) = label_studio.retrieve(number).values()
    assert [one["value"]["text"] for one in prediction["result"]] == ["咳嗽"]


def test_another_label_set_has_its_own_url(label_studio: Studio, server: Served) -> None:
    """It is connected under the label set's name; under the plain URL the message names it."""
    config = '<View><Labels name="a" toName="t"><Label value="影像检查"/></Labels><Text name="t" value="$text"/></View>'
    number = label_studio.project(config)
    assert "ccks2019+fits" in label_studio.connect(number, f"{server.url}/label-studio").text
    assert label_studio.connect(number, f"{server.url}/label-studio/ccks2019").status_code == 201
