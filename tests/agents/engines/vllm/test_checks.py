"""What is found out about servers before the first sentence."""

from __future__ import annotations

from medner.agents.engines.vllm.checks import Need, check_servers
from medner.core.findings import Level
from tests.agents.engines.vllm.play import Play, pool_of


async def findings(*plays: Play, needs: list[Need]) -> dict[str, list[str]]:
    """Lines by level."""
    pool = pool_of(*plays)
    await pool.open()
    found = await check_servers(pool, needs)
    await pool.close()
    return {level: [one.line() for one in found if one.level is level] for level in Level}


async def test_a_server_as_it_should_be() -> None:
    """Nothing to warn of."""
    found = await findings(Play(answer="脉搏平稳"), needs=[Need("base", 100)])
    assert not found[Level.WARNING]
    assert not found[Level.ERROR]
    assert "http://server0: holds answers to a grammar" in found[Level.OK]


async def test_a_server_that_ignores_constraints_is_found_out() -> None:
    """An old or foreign server answers 200 and what it likes."""
    found = await findings(Play(answer="2"), needs=[Need("base")])
    assert any("ignores structured_outputs" in line for line in found[Level.ERROR])


async def test_a_missing_model_a_short_context_and_another_version() -> None:
    """Each is said with its remedy."""
    play = Play(models={"base": 512}, answer="脉搏平稳", version="0.11.0")
    found = await findings(play, needs=[Need("base", 2_000), Need("ccks2019.symbol")])
    assert any("model ccks2019.symbol: no server" in line and "serve base" in line for line in found[Level.ERROR])
    assert any("--max-model-len 2000" in line for line in found[Level.WARNING])
    assert any("runs vLLM 0.11.0" in line for line in found[Level.WARNING])


async def test_a_dead_replica_is_an_error_of_its_own() -> None:
    """The living one is checked all the same."""
    found = await findings(Play(down=True), Play(answer="体温正常"), needs=[Need("base")])
    assert found[Level.ERROR] == [
        "http://server0: does not answer; start it (medner serve-models) or take it out of the configuration"
    ]
    assert any(line.startswith("http://server1: answers") for line in found[Level.OK])
