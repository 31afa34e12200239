"""Token-by-token constrained greedy decoding with transformers' own attention: slow, plain, and independent of ours."""

from __future__ import annotations

from medner.agents.strategies import Automaton


def constrained_greedy(model, vocabulary, prompt, graph, *, max_tokens=1_024):
    """The answer's tokens: at every step the whole sequence is run again and the best allowed token taken."""
    import torch

    automaton = Automaton(graph)
    state = automaton.start
    answer: list[int] = []
    while len(answer) < max_tokens:
        after = vocabulary.allowed(automaton, state)
        ends = vocabulary.end_ids if automaton.is_final(state) else set()
        allowed = sorted([*after, *ends])
        with torch.inference_mode():
            hidden = model.model(torch.tensor([[*prompt, *answer]]), use_cache=False)[0][0, -1]
            scores = hidden.float() @ model.get_output_embeddings().weight[torch.tensor(allowed)].float().T
        token = allowed[int(scores.argmax())]
        if token in vocabulary.end_ids:
            break
        answer.append(token)
        state = after[token]
    return answer
