"""The manifests of deploy/kubernetes as kustomize renders them: valid, closed to the outside, and true of medner."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from medner.service.cli.app import build
from medner.service.http.routes import ROUTES
from medner.store.jobs.keys import QUEUES

yaml = pytest.importorskip("yaml")
jsonschema = pytest.importorskip("jsonschema")
kubernetes_validate = pytest.importorskip("kubernetes_validate")

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "deploy" / "kubernetes"
KEDA = json.loads((Path(__file__).parent / "keda.schema.json").read_text(encoding="utf-8"))
#: The oldest version that is asked for, and the newest that the schemas know.
VERSIONS = ("1.30.0", kubernetes_validate.latest_version())

Resource = dict[str, Any]


def rendered(name: str) -> list[Resource]:
    """The resources of a folder, by kustomize or the kubectl that has it inside."""
    program = ["kustomize", "build"] if shutil.which("kustomize") else ["kubectl", "kustomize"]
    if shutil.which(program[0]) is None:
        pytest.skip("no kustomize and no kubectl here to render the manifests")
    done = subprocess.run([*program, str(MANIFESTS / name)], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module", params=["base", "gpu"])
def resources(request: pytest.FixtureRequest) -> list[Resource]:
    """The resources of the base, and of the base on GPUs."""
    return rendered(request.param)


def _of_kind(resources: list[Resource], *kinds: str) -> dict[str, Resource]:
    return {one["metadata"]["name"]: one for one in resources if one["kind"] in kinds}


def _pods(resources: list[Resource]) -> dict[str, Resource]:
    """The pods' specifications by what runs them."""
    found = _of_kind(resources, "Deployment", "StatefulSet", "Job", "CronJob", "DaemonSet")
    return {name: one["spec"]["template"]["spec"] for name, one in found.items()}


def _labels(resources: list[Resource]) -> dict[str, dict[str, str]]:
    found = _of_kind(resources, "Deployment", "StatefulSet")
    return {name: one["spec"]["template"]["metadata"]["labels"] for name, one in found.items()}


def _references(value: Any) -> Iterator[tuple[str, str]]:
    """Each reference to a secret, a configuration map or a claim, wherever it is."""
    if isinstance(value, dict):
        for key, inner in value.items():
            name = {"secret": "secretName", "persistentVolumeClaim": "claimName"}.get(key, "name")
            if key in ("secretKeyRef", "configMapKeyRef", "configMap", "secret", "persistentVolumeClaim"):
                yield key, inner[name]
            yield from _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_resource_follows_its_schema(resources: list[Resource], version: str) -> None:
    """Those of Kubernetes its published schemas, without any unknown key; those of KEDA the keys of its documents."""
    for one in resources:
        if one["apiVersion"].startswith("keda.sh/"):
            jsonschema.validate(one, KEDA)
        else:
            kubernetes_validate.validate(one, version, strict=True)
    assert {"Deployment", "StatefulSet", "NetworkPolicy", "ScaledObject"} <= {one["kind"] for one in resources}


def test_a_wrong_key_would_be_found(resources: list[Resource]) -> None:
    """The schemas refuse what is misspelt, so that the test above says something."""
    worker = json.loads(json.dumps(_of_kind(resources, "Deployment")["worker"]))
    worker["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(worker, VERSIONS[-1], strict=True)
    scaled = json.loads(json.dumps(_of_kind(resources, "ScaledObject")["worker"]))
    scaled["spec"]["triggers"][0]["metadata"]["streamLenght"] = "1"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(scaled, KEDA)


def test_pods_have_no_power_and_no_secret_of_their_own(resources: list[Resource]) -> None:
    """No root, no writable root, no capability, no token of Kubernetes; secrets are references to ones made outside."""
    assert "Secret" not in {one["kind"] for one in resources}
    pods = _pods(resources)
    assert set(pods) == {"api", "redis", "spans", "taggers", "worker"}
    for name, pod in pods.items():
        context = pod["securityContext"]
        assert context["runAsNonRoot"], name
        assert context["runAsUser"] > 0
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all("hostPath" not in volume for volume in pod["volumes"])
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"], name
            assert own["allowPrivilegeEscalation"] is False
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"]["memory"]
            assert container["resources"]["limits"]["memory"]
            for variable in container["env"]:
                secret = variable["name"] in ("REDIS_PASSWORD", "REDISCLI_AUTH", "VLLM_API_KEY")
                assert ("valueFrom" in variable) == secret, variable["name"]


def test_every_name_that_is_referred_to_is_there(resources: list[Resource]) -> None:
    """Claims and configuration in the manifests; the two secrets are made outside; selectors find their pods."""
    there = {("configMap", name) for name in _of_kind(resources, "ConfigMap")}
    there |= {("persistentVolumeClaim", name) for name in _of_kind(resources, "PersistentVolumeClaim")}
    outside = {("secretKeyRef", "medner"), ("secret", "medner-api-keys")}
    referred = set(_references(_pods(resources)))
    assert referred == there | outside
    labels = _labels(resources)
    for name, service in _of_kind(resources, "Service").items():
        chosen = [pod for pod, own in labels.items() if service["spec"]["selector"].items() <= own.items()]
        assert chosen == [name]
        (container,) = _pods(resources)[name]["containers"]
        assert {port["name"] for port in container["ports"]} == {one["targetPort"] for one in service["spec"]["ports"]}
    assert {one["metadata"]["namespace"] for one in resources if one["kind"] != "Namespace"} == {"medner"}


def test_nothing_leaves_the_namespace(resources: list[Resource]) -> None:
    """Everything is forbidden first. Pods of medner may go to one another, and to the cluster's DNS; vLLM to nobody."""
    policies = _of_kind(resources, "NetworkPolicy")
    assert policies["deny-all"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    goes_to: dict[str, list[Any]] = {name: [] for name in _labels(resources)}
    for policy in policies.values():
        for rule in policy["spec"].get("egress", []):
            assert rule["to"], "an empty list is everybody"
            assert rule["ports"]
            for target in rule["to"]:
                assert "ipBlock" not in target
            for name in _chosen(policy["spec"]["podSelector"], resources):
                goes_to[name] += rule["to"]
    assert goes_to["redis"] == goes_to["spans"] == goes_to["taggers"] == []
    outside = [one for name in ("api", "worker") for one in goes_to[name] if "namespaceSelector" in one]
    assert outside == 2 * [
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
            "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
        }
    ]


def _chosen(selector: Resource, resources: list[Resource]) -> list[str]:
    """The pods that a selector of a policy chooses."""

    def fits(labels: dict[str, str]) -> bool:
        expressions = selector.get("matchExpressions", [])
        assert all(one["operator"] == "In" for one in expressions)
        return selector.get("matchLabels", {}).items() <= labels.items() and all(
            labels.get(one["key"]) in one["values"] for one in expressions
        )

    return [name for name, labels in _labels(resources).items() if fits(labels)]


def test_who_needs_a_server_reaches_it(resources: list[Resource]) -> None:
    """A policy lets a pod in and its caller out: API and workers to Redis and vLLM, on their ports."""
    ways: dict[str, set[tuple[str, str, int]]] = {"egress": set(), "ingress": set()}
    for policy in _of_kind(resources, "NetworkPolicy").values():
        here = _chosen(policy["spec"]["podSelector"], resources)
        for direction, side in (("egress", "to"), ("ingress", "from")):
            for rule in policy["spec"].get(direction, []):
                for other in rule[side]:
                    there = [] if "namespaceSelector" in other else _chosen(other["podSelector"], resources)
                    ends = (here, there) if direction == "egress" else (there, here)
                    ways[direction] |= {
                        (first, second, port["port"])
                        for first in ends[0]
                        for second in ends[1]
                        for port in rule["ports"]
                    }
    wanted = {
        (caller, server, port)
        for caller in ("api", "worker")
        for server, port in (("redis", 6379), ("spans", 8101), ("taggers", 8101))
    }
    assert ways == {"egress": wanted, "ingress": wanted}


def test_workers_are_scaled_by_the_queues_that_medner_uses(resources: list[Resource]) -> None:
    """Every stream of every priority, at the address of Redis; the target is the workers' Deployment."""
    scaled = _of_kind(resources, "ScaledObject")["worker"]["spec"]
    assert scaled["scaleTargetRef"] == {"kind": "Deployment", "name": "worker"}
    assert "replicas" not in _of_kind(resources, "Deployment")["worker"]["spec"], "it would undo what KEDA set"
    assert {one["metadata"]["stream"] for one in scaled["triggers"]} == set(QUEUES.values())
    assert {one["metadata"]["address"] for one in scaled["triggers"]} == {"redis.medner.svc:6379"}
    assert {one["authenticationRef"]["name"] for one in scaled["triggers"]} == set(
        _of_kind(resources, "TriggerAuthentication")
    )
    assert scaled["minReplicaCount"] >= 1


def test_commands_are_medners_and_servers_have_probes(resources: list[Resource]) -> None:
    """Names and options are parsed as the command line parses them; probes ask for paths that are answered."""
    root: Any = typer.main.get_command(build())
    commands = {}
    for name, pod in _pods(resources).items():
        (container,) = pod["containers"]
        assert {"startupProbe", "livenessProbe"} <= set(container), name
        assert ("readinessProbe" in container) == (name != "worker"), name
        if name == "redis":
            continue
        first, *options = container["args"]
        options = [str(MANIFESTS / "base" / one[12:]) if one.startswith("/etc/medner/") else one for one in options]
        root.commands[first].make_context(first, options)
        commands[name] = first
        paths = {probe["httpGet"]["path"] for key, probe in container.items() if "Probe" in key and "httpGet" in probe}
        assert paths == {"/metrics" if name == "worker" else "/health"}
    assert commands == {"api": "serve", "worker": "worker", "spans": "serve-models", "taggers": "serve-models"}
    assert ("GET", "/health", True) in {(one.method, one.path, one.open) for one in ROUTES}


def test_the_configuration_is_the_one_of_the_containers(resources: list[Resource]) -> None:
    """One file for Docker and for Kubernetes; its servers are the services."""
    text = (ROOT / "deploy" / "configuration.toml").read_text(encoding="utf-8")
    (configuration,) = _of_kind(resources, "ConfigMap").values()
    assert configuration["data"] == {"configuration.toml": text}
    for name in ("spans", "taggers"):
        assert f'\nurl = "http://{name}:8101"' in text


def test_no_image_is_of_a_moving_tag(resources: list[Resource]) -> None:
    """Each has a fixed tag; all but Redis are built from this project."""
    images = {container["image"] for pod in _pods(resources).values() for container in pod["containers"]}
    assert {one.partition(":")[0] for one in images} <= {"medner", "medner-vllm-cpu", "medner-vllm-gpu", "redis"}
    assert all(one.partition(":")[2] not in ("", "latest") for one in images)
