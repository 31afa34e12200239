"""The engine that asks vLLM servers: every adapter is a model name there."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from medner.agents.engines.engine import Completion, Request
from medner.agents.engines.vllm.pool import Pool
from medner.agents.engines.vllm.token_pooling import pooled, pooling_request
from medner.agents.prompts.messages import Message
from medner.agents.strategies.grammar import grammar_of
from medner.core.errors import ExternalError, UserError
from medner.core.records import DecodingCost

if TYPE_CHECKING:
    import torch

#: Greedy, whatever the model's own generation_config.json asks for: vLLM takes its penalties over otherwise.
GREEDY: Mapping[str, Any] = {
    "temperature": 0,
    "top_p": 1,
    "top_k": -1,
    "min_p": 0,
    "repetition_penalty": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "seed": 0,
}
#: A chat template puts about so many tokens around each message.
_AROUND = 32
#: The likeliest tokens that a server tells, at most.
_TOLD = 20


class VllmEngine:
    """Adapters by the names they have on the servers of ``pool``; ``base`` is the base model's name there.

    Forward passes are not known: a completion's cost says 0.
    """

    def __init__(self, pool: Pool, *, base: str, served: Mapping[str, str] | None = None) -> None:
        self.pool = pool
        self._base = base
        self._served = dict(served or {})
        self._first_tokens: dict[tuple[str, str], int] = {}

    def on(self, base: str) -> VllmEngine:
        """The same servers, where requests without an adapter go to another base model."""
        return VllmEngine(self.pool, base=base, served=self._served)

    async def complete(self, request: Request) -> Completion:
        """The greedy answer to a chat; its grammar is enforced by the server."""
        began = time.perf_counter()
        model = self._model(request.adapter)
        messages = [message.as_dict() for message in request.messages]
        body = {**GREEDY, "messages": messages, "max_tokens": await self._room(model, messages, request.max_tokens)}
        if request.graph is not None:
            body["structured_outputs"] = {"grammar": grammar_of(request.graph)}
        answer = await self.pool.post(model, "/v1/chat/completions", body)
        try:
            choice, usage = answer["choices"][0], answer["usage"]
            text, truncated = choice["message"]["content"] or "", choice["finish_reason"] == "length"
            prompt_tokens, answer_tokens = int(usage["prompt_tokens"]), int(usage["completion_tokens"] or 0)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ExternalError(f"model {model}: the server's answer is not a chat completion") from error
        seconds = time.perf_counter() - began
        return Completion(
            text, truncated, DecodingCost(prompt_tokens=prompt_tokens, answer_tokens=answer_tokens, seconds=seconds)
        )

    async def choose(
        self, messages: Sequence[Message], options: Sequence[str], *, adapter: str | None = None
    ) -> list[float]:
        """The probability of each option as the answer's beginning, summing to 1 over the options."""
        if not options or not all(options):
            raise UserError("options to choose among must not be empty")
        model = self._model(adapter)
        firsts = [await self._first_token(model, option) for option in options]
        if len(set(firsts)) < len(firsts):
            raise UserError(f"options {', '.join(map(repr, options))} cannot be told apart by their first token")
        body = {
            **GREEDY,
            "messages": [message.as_dict() for message in messages],
            "max_tokens": 1,
            "logprobs": True,
            # Not logprob_token_ids: with speculation vLLM 0.32 fails on it. Where the server tells the probabilities
            # after its masks (--logprobs-mode), the allowed tokens are always among the likeliest.
            "allowed_token_ids": firsts,
            "top_logprobs": max(_TOLD, len(firsts)),
            "return_tokens_as_token_ids": True,
        }
        answer = await self.pool.post(model, "/v1/chat/completions", body)
        try:
            told = answer["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
            found = {one["token"]: float(one["logprob"]) for one in told}
            scores = [found[f"token_id:{first}"] for first in firsts]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ExternalError(
                f"model {model}: the server does not tell the probability of each option; start it with "
                "--logprobs-mode processed_logprobs, as medner serve-models does"
            ) from error
        top = max(scores)
        weights = [math.exp(score - top) for score in scores]
        return [weight / sum(weights) for weight in weights]

    async def classify(self, model: str, texts: Sequence[str]) -> list[float]:
        """The raw score that a model for sequence classification with one score gives each text, in their order."""
        body = {"input": list(texts), "use_activation": False, "add_special_tokens": False}
        answer = await self.pool.post(model, "/classify", body)
        try:
            scores = {int(one["index"]): [float(score) for score in one["probs"]] for one in answer["data"]}
            return [scores[number][0] for number in range(len(texts)) if len(scores[number]) == 1]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise ExternalError(f"model {model}: the server's answer is not a classification of each text") from error

    async def pool_tokens(self, model: str, tokens: Sequence[int]) -> torch.Tensor:
        """A model's numbers [tokens, numbers] in float32."""
        return pooled(model, await self.pool.post(model, "/pooling", pooling_request(tokens)), len(tokens))

    async def close(self) -> None:
        """Closes the connections; requests under way fail."""
        await self.pool.close()

    def _model(self, adapter: str | None) -> str:
        if adapter is None:
            return self._base
        if adapter not in self._served:
            raise UserError(
                f"no adapter {adapter!r} on the vLLM servers; there are {', '.join(self._served) or 'none'}"
            )
        return self._served[adapter]

    async def _room(self, model: str, messages: list[dict[str, str]], wanted: int) -> int:
        """How many tokens the answer may have: a server refuses what prompt and answer together could overrun."""
        context = min((one.context for one in self.pool.served(model) if one.context), default=None)
        most = sum(len(message["content"].encode("utf-8", "replace")) + _AROUND for message in messages)
        # A token is at least a byte: only where that much could overrun it is worth asking for the count.
        if context is None or wanted + most <= context:
            return wanted
        body = {"messages": messages, "add_generation_prompt": True}
        prompt = int((await self.pool.post(model, "/tokenize", body))["count"])
        if prompt >= context:
            raise UserError(
                f"a prompt of {prompt} tokens and an answer do not fit the {context} that the server gives {model}; "
                "start it with a larger --max-model-len, split sentences shorter (--max-chars) or give fewer examples"
            )
        return min(wanted, context - prompt)

    async def _first_token(self, model: str, option: str) -> int:
        known = self._first_tokens.get((model, option))
        if known is None:
            body = {"prompt": option, "add_special_tokens": False}
            try:
                known = int((await self.pool.post(model, "/tokenize", body))["tokens"][0])
            except (KeyError, IndexError, TypeError, ValueError) as error:
                raise ExternalError(f"model {model}: the server does not say the tokens of {option!r}") from error
            self._first_tokens[model, option] = known
        return known
