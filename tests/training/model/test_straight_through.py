"""Frozen layers in eight-bit integers: near the real product, forward and backward; exact resume; serving's numbers."""

import asyncio
from functools import partial

import pytest

from medner.core.errors import UserError

torch = pytest.importorskip("torch")
from medner.agents.engines.local.engine import LocalEngine
from medner.agents.engines.local.integer.int8 import is_exact
from medner.agents.engines.local.model import LocalModel
from medner.agents.taggers.spans.settings import SpanSettings, load_span_tagger
from medner.core.records import Entity, Sentence
from medner.training.loop.loop import Run
from medner.training.loop.run import RunFacts
from medner.training.model.lora import adapted_model, products_format
from medner.training.model.straight_through import StraightThroughLinear, quantise_linear_layers
from medner.training.spans.calibration import calibrated
from medner.training.spans.learner import SpanLearner, passes
from tests.tiny_model import save_tiny_model
from tests.training.spans.test_span_training import LABELS, data, files, settings  # noqa: F401  fixtures

pytestmark = pytest.mark.skipif(not is_exact(), reason="this processor has no exact integer kernels")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("base"), layers=3)


def test_product_and_gradient_are_near_the_layers_own():
    """The output and the gradient of the input, with and without bias; the weight gets none."""
    torch.manual_seed(0)
    for bias in (True, False):
        plain = torch.nn.Linear(96, 64, bias=bias).requires_grad_(False)
        body = torch.nn.Sequential(torch.nn.Linear(96, 64, bias=bias)).requires_grad_(False)
        body.load_state_dict({f"0.{name}": value for name, value in plain.state_dict().items()})
        assert quantise_linear_layers(body) == 1
        assert isinstance(body[0], StraightThroughLinear)
        x, upstream = torch.randn(5, 7, 96), torch.randn(5, 7, 64)
        ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
        made, expected = body(ours), plain(theirs)
        made.backward(upstream)
        expected.backward(upstream)
        assert (made - expected).norm() < 0.02 * expected.norm()
        assert (ours.grad - theirs.grad).norm() < 0.02 * theirs.grad.norm()


def test_adapters_learn_on_it_and_the_base_does_not(base):
    """Gradients reach the adapter through integer layers, in the first layers alone where the base is cut."""
    chosen = settings(products="int8", layers=2)
    model = adapted_model(base, chosen)
    assert model.config.num_hidden_layers == 2
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained
    assert all("layers.1." in name and "lora_" in name for name in trained)


def test_four_bits_and_integer_products_exclude_each_other(base):
    """Said before anything is trained."""
    with pytest.raises(UserError, match="no products in int8"):
        adapted_model(base, settings(products="int8", quantise="nf4"))
    with pytest.raises(UserError, match="no format 'int4' for products; there are bf16, int8 and auto"):
        products_format("int4")


def test_a_base_has_as_many_layers_as_it_has(base):
    """More cannot be asked for."""
    with pytest.raises(UserError, match="has 3 layers, so it cannot be cut to 4"):
        adapted_model(base, settings(layers=4))


def test_a_tagger_on_the_first_layers_is_served_as_it_was_trained(base, data, tmp_path):  # noqa: F811  a fixture
    """Trained in integers on two of three layers, stopped and resumed, run by the local engine in int8 and float32."""
    chosen = settings(products="int8", layers=2, epochs=20.0)
    steps = 0

    def stop():
        nonlocal steps
        steps += 1
        return steps == 20

    def begin():
        learner = SpanLearner(base, chosen, types=len(LABELS.types))
        batches = partial(passes, data.complete, data.partial, chosen)
        return learner, Run(learner, batches, tmp_path, chosen, facts=RunFacts())

    assert not begin()[1].train(stop=stop)
    learner, run = begin()
    assert run.done == 19
    assert run.train()
    threshold = calibrated(learner.scores_of, data.held_back, LABELS).threshold
    SpanSettings(types=LABELS.codes, two_way_from=1, layers=2, threshold=threshold).save(run.output)
    for served in ("int8", "f32"):
        engine = LocalEngine(LocalModel(base, {"span": run.output}, format=served, device=torch.device("cpu")))
        tagger = load_span_tagger(run.output, name="span", adapter="span", encoder=engine, labels=LABELS)
        output = asyncio.run(tagger.tag(Sentence("x#0", "患者99天前出现咽部充血，咳嗽。")))
        assert set(output.decoded.entities) == {Entity(8, 12, "sym"), Entity(8, 10, "bod"), Entity(13, 15, "sym")}
