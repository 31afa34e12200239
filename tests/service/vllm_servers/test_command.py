"""The command lines of vLLM servers."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from medner.agents.engines.vllm.adapter_identity import unmarked
from medner.core.choices import DEFAULT_MODEL
from medner.core.errors import BadInputError, UserError
from medner.service.config.configuration import Configuration
from medner.service.config.engine import ServerConfig, VllmEngineConfig
from medner.service.config.filters import CausalFilterConfig, ClassifierFilterConfig
from medner.service.config.taggers import SpanTaggerConfig, WritingTaggerConfig
from medner.service.vllm_servers.command import adapter_rank, serve_commands
from medner.service.vllm_servers.plan import Device, Plan, ServerPart, Speculation
from medner.service.vllm_servers.pooling import CANDIDATE_FILTER, CANDIDATE_FILTER_KEY, SPAN_TAGGERS, SPAN_TAGGERS_KEY

MODEL = Path("/models/base")


def adapter(folder: Path, rank: int = 16) -> Path:
    """A folder with an adapter's settings, and a span tagger's."""
    folder.mkdir()
    (folder / "span.json").write_text("{}", encoding="utf-8")
    (folder / "adapter_config.json").write_text(json.dumps({"r": rank}), encoding="utf-8")
    return folder


def with_two(tmp_path: Path) -> Configuration:
    """Two tuned taggers, one on the base model, one span tagger."""
    return Configuration(
        model="qwen2.5-coder-0.5b-instruct",
        taggers=(
            WritingTaggerConfig(name="symbol", strategy="symbol", style="brief", adapter=adapter(tmp_path / "a")),
            WritingTaggerConfig(name="html", strategy="html", style="brief", adapter=adapter(tmp_path / "b", 20)),
            WritingTaggerConfig(name="json-full", strategy="json"),
            SpanTaggerConfig(name="span", adapter=adapter(tmp_path / "c")),
        ),
    )


def option(arguments: tuple[str, ...], name: str) -> str:
    """The value of an option."""
    return arguments[arguments.index(name) + 1]


def test_every_writing_adapter_is_a_model_name(tmp_path: Path) -> None:
    """The span tagger's is not among them; the rank is the highest, as vLLM allocates it."""
    command, _ = serve_commands(with_two(tmp_path), MODEL, Plan())
    at = command.arguments.index("--lora-modules")
    assert command.arguments[at + 1 : at + 3] == (
        f"cmeee-v2.symbol={tmp_path / 'a'}",
        f"cmeee-v2.html={tmp_path / 'b'}",
    )
    assert option(command.arguments, "--max-lora-rank") == "32"
    assert option(command.arguments, "--served-model-name") == "qwen2.5-coder-0.5b-instruct"
    assert option(command.arguments, "--host") == "127.0.0.1"


@pytest.mark.parametrize(("device", "slots"), [(Device.CPU, "3"), (Device.GPU, "2")])
def test_on_a_processor_one_adapter_slot_stays_empty(tmp_path: Path, device: Device, slots: str) -> None:
    """Else the base model's requests get the last adapter there."""
    command, _ = serve_commands(with_two(tmp_path), MODEL, Plan(device=device))
    assert option(command.arguments, "--max-loras") == slots
    assert ("VLLM_CPU_KVCACHE_SPACE" in command.environment) == (device is Device.CPU)
    assert command.environment["VLLM_NO_USAGE_STATS"] == "1"


def test_servers_of_one_gpu_share_its_memory(tmp_path: Path) -> None:
    """Each would take nearly all of it otherwise; on a processor nothing is said."""
    configuration = with_two(tmp_path)
    commands = serve_commands(configuration, MODEL, Plan(device=Device.GPU, gpu_memory=0.8))
    assert [option(one.arguments, "--gpu-memory-utilization") for one in commands] == ["0.4", "0.4"]
    on_processor = serve_commands(configuration, MODEL, Plan())
    assert all("--gpu-memory-utilization" not in one.arguments for one in on_processor)


def test_replicas_follow_the_first_port_and_share_the_threads(tmp_path: Path) -> None:
    """Each is a server of its own."""
    commands = serve_commands(with_two(tmp_path), MODEL, Plan(replicas=2, port=9000, threads=4, part=ServerPart.MODELS))
    assert [command.url for command in commands] == ["http://127.0.0.1:9000", "http://127.0.0.1:9001"]
    assert {command.environment["OMP_NUM_THREADS"] for command in commands} == {"2"}


@pytest.mark.parametrize("speculation", Speculation)
def test_who_drafts(tmp_path: Path, speculation: Speculation) -> None:
    """The copy proposer by its import name, n-grams as short as Chinese words, or nobody."""
    command, _ = serve_commands(with_two(tmp_path), MODEL, Plan(speculation=speculation))
    if speculation is Speculation.OFF:
        assert "--speculative-config" not in command.arguments
        return
    said = json.loads(option(command.arguments, "--speculative-config"))
    assert said["method"] == {"copy": "custom_class", "ngram": "ngram"}[speculation]
    if speculation is Speculation.COPY:
        module, _, name = said["model"].rpartition(".")
        assert hasattr(__import__(module, fromlist=[name]), name)


def test_the_context_has_room_for_the_longest_sentence(tmp_path: Path) -> None:
    """It grows with the sentence cap, and can be set."""
    configuration = with_two(tmp_path)
    sizes = [
        int(
            option(
                serve_commands(configuration.model_copy(update={"max_chars": cap}), MODEL, Plan())[0].arguments,
                "--max-model-len",
            )
        )
        for cap in (64, 256, 1_024)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[2]
    command, _ = serve_commands(configuration, MODEL, Plan(context=4_096))
    assert option(command.arguments, "--max-model-len") == "4096"


def test_the_base_has_a_further_name_for_each_adapter(tmp_path: Path) -> None:
    """It says which weights the adapter has, so that others under its name are noticed."""
    configuration = with_two(tmp_path)
    (tmp_path / "a/adapter_model.safetensors").write_bytes(b"weights")
    (tmp_path / "b/adapter_model.safetensors").write_bytes(b"others")

    def names() -> tuple[str, ...]:
        arguments = serve_commands(configuration, MODEL, Plan())[0].arguments
        return arguments[arguments.index("--served-model-name") + 1 : arguments.index("--max-model-len")]

    before = names()
    assert before[0] == "qwen2.5-coder-0.5b-instruct"
    told = dict(filter(None, map(unmarked, before)))
    assert set(told) == {"cmeee-v2.symbol", "cmeee-v2.html"}
    (tmp_path / "a/adapter_model.safetensors").write_bytes(b"trained again")
    after = dict(filter(None, map(unmarked, names())))
    assert after["cmeee-v2.symbol"] != told["cmeee-v2.symbol"]
    assert after["cmeee-v2.html"] == told["cmeee-v2.html"]


def test_the_shell_line_can_be_typed(tmp_path: Path) -> None:
    """Quoted, with its environment in front."""
    command, _ = serve_commands(with_two(tmp_path), MODEL, Plan(python="my vllm/bin/python"))
    words = shlex.split(command.shell())
    assert "HF_HUB_OFFLINE=1" in words
    assert "my vllm/bin/python" in words


def test_span_taggers_share_a_server(tmp_path: Path) -> None:
    """One model runs all of a base: vLLM is told the class, the adapters' folders and what the base is called."""
    spans = tuple(SpanTaggerConfig(name=name, adapter=adapter(tmp_path / name)) for name in ("a", "b"))
    (command,) = serve_commands(Configuration(taggers=spans), MODEL, Plan())
    assert command.name == "spans-8101"
    assert option(command.arguments, "--model") == str(MODEL)
    assert option(command.arguments, "--served-model-name") == "cmeee-v2.spans"
    assert option(command.arguments, "--runner") == "pooling"
    assert "--no-enable-prefix-caching" in command.arguments
    assert "--lora-modules" not in command.arguments
    told = json.loads(option(command.arguments, "--hf-overrides"))
    base = "qwen2.5-coder-0.5b-instruct"
    assert told == {
        "architectures": ["MednerSpanTaggers"],
        "medner_taggers": [{"folder": str(tmp_path / name), "base": base} for name in ("a", "b")],
    }
    longest = int(option(command.arguments, "--max-model-len"))
    assert 4 * 256 <= longest <= int(option(command.arguments, "--max-num-batched-tokens"))


def test_exported_span_taggers_are_served_as_they_are(tmp_path: Path) -> None:
    """What medner export wrote says itself what it is; one a base model, the others are merged at the start."""
    span = SpanTaggerConfig(name="a", adapter=adapter(tmp_path / "a"))
    one, two = (exported(tmp_path / name, base) for name, base in (("x", DEFAULT_MODEL), ("y", tmp_path.name)))
    (command,) = serve_commands(Configuration(taggers=(span,)), MODEL, Plan(spans=(one,)))
    assert option(command.arguments, "--model") == str(one)
    assert "--hf-overrides" not in command.arguments
    other = span.model_copy(update={"name": "b", "base": str(tmp_path)})
    both = Configuration(taggers=(span, other))
    commands = serve_commands(both, MODEL, Plan(spans=(two,)))
    assert [option(command.arguments, "--model") for command in commands] == [str(MODEL), str(two)]
    assert ["--hf-overrides" in command.arguments for command in commands] == [True, False]
    commands = serve_commands(both, MODEL, Plan(spans=(two, one)))
    assert [option(command.arguments, "--model") for command in commands] == [str(one), str(two)]
    with pytest.raises(UserError, match=f"stands on the base model {tmp_path.name}; this configuration has"):
        serve_commands(Configuration(taggers=(span,)), MODEL, Plan(spans=(two,)))
    with pytest.raises(UserError, match="are of one base model"):
        serve_commands(both, MODEL, Plan(spans=(one, one)))
    with pytest.raises(UserError, match="holds no exported model"):
        serve_commands(both, MODEL, Plan(spans=(tmp_path,)))


def exported(folder: Path, base: str) -> Path:
    """What medner export writes beside the weights of span taggers."""
    folder.mkdir()
    card = f'name = "a"\nbase = "{base}"\nlabels = "cmeee-v2"\nsha256 = "0"\nstrategy = "span"\ntaggers = ["a 00"]\n'
    (folder / "export.toml").write_text(card, encoding="utf-8")
    return folder


def evidence_judge(folder: Path) -> Path:
    """The folder of a judge that reads."""
    adapter(folder)
    (folder / "adapter_model.safetensors").write_bytes(b"")
    return folder


def test_a_judge_that_reads_is_served_as_taggers_are(tmp_path: Path) -> None:
    """Beside them where it reads on their base, else by a server of its own, whose part is the judge's."""
    span = SpanTaggerConfig(name="a", adapter=adapter(tmp_path / "a"))
    folder = evidence_judge(tmp_path / "judge")
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    judged = Configuration(
        taggers=(span,), filter={"kind": "span"}, judge={"kind": "evidence", "source": folder, "base": str(tmp_path)}
    )
    commands = serve_commands(judged, MODEL, Plan())
    assert [command.name for command in commands] == ["spans-8101", "judge-8102"]
    assert option(commands[1].arguments, "--served-model-name") == f"cmeee-v2.spans.{tmp_path.name}"
    told = json.loads(option(commands[1].arguments, "--hf-overrides"))
    assert told["medner_taggers"] == [{"folder": str(folder), "base": tmp_path.name}]
    (alone,) = serve_commands(judged, MODEL, Plan(part=ServerPart.JUDGE))
    assert alone.name == "judge-8101"
    (tagging,) = serve_commands(judged, MODEL, Plan(part=ServerPart.SPANS))
    assert option(tagging.arguments, "--served-model-name") == "cmeee-v2.spans"
    same = judged.model_copy(update={"judge": judged.judge.model_copy(update={"base": None})})
    (both,) = serve_commands(same, MODEL, Plan())
    told = json.loads(option(both.arguments, "--hf-overrides"))
    assert [one["folder"] for one in told["medner_taggers"]] == [str(tmp_path / "a"), str(folder)]


def test_the_names_are_those_of_the_model_class() -> None:
    """They stand twice, because the class needs torch and the command lines do not."""
    pytest.importorskip("torch")
    from medner.agents.filters.candidates import weights as candidates
    from medner.agents.taggers.spans.served.weights import ARCHITECTURE, KEY

    assert (SPAN_TAGGERS, SPAN_TAGGERS_KEY) == (ARCHITECTURE, KEY)
    assert (CANDIDATE_FILTER, CANDIDATE_FILTER_KEY) == (candidates.ARCHITECTURE, candidates.KEY)


def test_span_taggers_kept_here_need_no_server(tmp_path: Path) -> None:
    """There is nothing to serve, and the message says so; nor is there of a folder that holds no span tagger."""
    servers = (ServerConfig(url="http://127.0.0.1:8101"),)
    span = SpanTaggerConfig(name="span", adapter=tmp_path)
    local = Configuration(taggers=(span,), engine=VllmEngineConfig(servers=servers, span_taggers="local"))
    with pytest.raises(UserError, match="nothing of this configuration runs on a server"):
        serve_commands(local, MODEL, Plan())
    with pytest.raises(UserError, match=r"holds no span\.json"):
        serve_commands(Configuration(taggers=(span,)), MODEL, Plan())


def test_an_llm_causal_filter_is_served_too(tmp_path: Path) -> None:
    """Its adapter is one more model name."""
    tagger = WritingTaggerConfig(name="json-full", strategy="json")
    chosen = CausalFilterConfig(adapter=adapter(tmp_path / "f"))
    (command,) = serve_commands(Configuration(taggers=(tagger,), filter=chosen), MODEL, Plan())
    assert f"cmeee-v2.llm-causal={tmp_path / 'f'}" in command.arguments


def test_an_exported_filter_has_a_server_of_its_own(tmp_path: Path) -> None:
    """By the pooling runner, on the ports after the writing models', each as often as the replicas say."""
    configuration = Configuration(
        taggers=(WritingTaggerConfig(name="json-full", strategy="json"),),
        filter=ClassifierFilterConfig(exported=tmp_path),
        engine=VllmEngineConfig(servers=(ServerConfig(url="http://127.0.0.1:8101"),)),
    )
    commands = serve_commands(configuration, MODEL, Plan(replicas=2))
    assert [one.name for one in commands] == ["models-8101", "models-8102", "filter-8103", "filter-8104"]
    served = commands[-1].arguments
    assert option(served, "--model") == str(tmp_path)
    assert option(served, "--served-model-name") == "cmeee-v2.llm-cls"
    assert option(served, "--runner") == "pooling"
    assert "--speculative-config" not in served
    assert int(option(served, "--max-model-len")) >= 2 * configuration.max_chars


def test_a_filter_with_its_adapter_has_one_too(tmp_path: Path) -> None:
    """vLLM is told the class, the folder, the base's name and from which layer a sentence looks both ways."""
    folder = adapter(tmp_path / "f")
    card = 'name = "f"\nkind = "llm-cls"\nbase = "b"\nlabels = "cmeee-v2"\nthreshold = 0.5\ntemperature = 1.0\n'
    (folder / "card.toml").write_text(card + "two_way_from = 8\n", encoding="utf-8")
    configuration = Configuration(
        taggers=(WritingTaggerConfig(name="json-full", strategy="json"),), filter=ClassifierFilterConfig(adapter=folder)
    )
    (command,) = serve_commands(configuration, MODEL, Plan(part=ServerPart.FILTER, device=Device.GPU))
    assert command.name == "filter-8101"
    assert option(command.arguments, "--model") == str(MODEL)
    assert option(command.arguments, "--served-model-name") == "cmeee-v2.llm-cls"
    told = json.loads(option(command.arguments, "--hf-overrides"))
    assert told == {
        "architectures": ["MednerCandidateFilter"],
        "medner_filter": {"folder": str(folder), "base": DEFAULT_MODEL, "two_way_from": 8},
    }
    assert {"--no-enable-prefix-caching", "--enforce-eager"} <= set(command.arguments)
    assert int(option(command.arguments, "--max-model-len")) >= 2_048
    servers = (ServerConfig(url="http://127.0.0.1:8101"),)
    local = VllmEngineConfig(servers=servers, span_taggers="local")
    (writing,) = serve_commands(configuration.model_copy(update={"engine": local}), MODEL, Plan())
    assert writing.name == "models-8101"


def test_a_folder_that_is_no_adapter(tmp_path: Path) -> None:
    """File and key are named."""
    with pytest.raises(UserError, match=r"adapter_config\.json: cannot be read"):
        adapter_rank(tmp_path)
    (tmp_path / "adapter_config.json").write_text("{}", encoding="utf-8")
    with pytest.raises(BadInputError, match=r"adapter_config\.json \[r\]"):
        adapter_rank(tmp_path)
