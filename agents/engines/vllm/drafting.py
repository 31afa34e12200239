"""A drafter class for vLLM servers that drafts the rest of the sentence which the answer copies.

::

    vllm serve BASE --speculative-config '{"method": "custom_class", "num_speculative_tokens": 12,
      "model": "medner.agents.engines.vllm.drafting.CopyProposer"}'

The server verifies every draft, so it never changes an answer, only the number of forward passes. It needs medner's
code in the server's environment (scripts/vllm_environment.sh puts it there) and nothing else of medner.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medner.agents.engines.vllm.copying import Copying

#: The versions of vLLM whose interface for drafters this is; the interface is experimental there.
TESTED = ("0.32.",)


class CopyProposer:
    """What vLLM builds and asks for drafts after every pass. RuntimeError where vLLM is another than expected."""

    def __init__(self, vllm_config: Any) -> None:
        try:
            speculative, model = vllm_config.speculative_config, vllm_config.model_config
            self._most = int(speculative.num_speculative_tokens)
            self._context = int(model.max_model_len)
            name, revision = model.tokenizer, getattr(model, "tokenizer_revision", None)
        except (AttributeError, TypeError) as error:
            raise RuntimeError(_another(str(error))) from error
        from transformers import AutoTokenizer  # noqa: PLC0415  heavy, and only there on a server

        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
        special = frozenset(tokenizer.all_special_ids) | frozenset(tokenizer.added_tokens_decoder)
        self._copying = Copying(tokenizer, special)

    def propose(
        self,
        sampled_token_ids: Sequence[Sequence[int]],
        num_tokens_no_spec: Any,
        token_ids_cpu: Any,
        *unknown: Any,
        slot_mappings: Any = None,  # noqa: ARG002  what vLLM hands over
        **others: Any,
    ) -> list[list[int]]:
        """Draft tokens for each request of the batch; none for requests that sampled nothing in this pass.

        ``token_ids_cpu`` [requests, context] holds prompt and answer, ``num_tokens_no_spec`` [requests] how many of
        them count.
        """
        if unknown or others:
            raise RuntimeError(_another(f"propose() was given {len(unknown)} more arguments and {sorted(others)}"))
        drafts: list[list[int]] = []
        for row, sampled in enumerate(sampled_token_ids):
            length = int(num_tokens_no_spec[row])
            room = min(self._most, self._context - length - 1)
            if not len(sampled) or room < 1:
                drafts.append([])
            else:
                drafts.append(self._copying.next_tokens(token_ids_cpu[row, :length].tolist(), room))
        return drafts

    def load_model(self, *_: Any, **__: Any) -> None:
        """Nothing: there is no draft model."""


def _another(what: str) -> str:
    return (
        f"medner's CopyProposer does not fit this vLLM ({what}); it is written for {', '.join(TESTED)}x: "
        "start the server without --speculative-config, or with the method ngram"
    )
