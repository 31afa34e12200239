"""One run of `medner annotate`, from its order to its results on disk or screen."""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path

from medner.core.errors import MednerError, UserError
from medner.graph.tracing import Tracer
from medner.service.annotate.counts import RunCounts
from medner.service.annotate.documents import Annotating
from medner.service.annotate.interruption import Interruption, interruptible
from medner.service.annotate.journal import Journal, RunIdentity, journal_path, open_journal
from medner.service.annotate.messages import RunMessages
from medner.service.annotate.outputs import Emit, FhirBundle, Page, RunOutputs
from medner.service.annotate.progress import showing
from medner.service.build.engines import EngineFactory, local_engine, model_folder
from medner.service.build.pipeline import adapter_names, assembled
from medner.service.build.run_engines import bases_here, memory_in_words, needs_model
from medner.service.build.trace_recording import Recording, TraceOrder, recording, run_record
from medner.service.config.fingerprint import fingerprint
from medner.service.config.options import Overrides, configured
from medner.service.inputs.annotation_inputs import Inputs, Survey, discard_copies, open_inputs, standard_input
from medner.service.inputs.overwriting import refuse_overwriting
from medner.service.inputs.splitting import Splitting
from medner.service.page.page import Language
from medner.store.corpora import NO_OPTIONS, ReadOptions
from medner.store.traces import TracePolicy


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be annotated, how, and where the result goes."""

    inputs: tuple[str, ...] = ()
    text: str | None = None
    output: Path | None = None
    table: Path | None = None
    fhir: FhirBundle | None = None
    html: Path | None = None
    as_json: bool = False
    language: Language = "zh"
    format: str | None = None
    skip_bad: bool = False
    limit: int | None = None
    options: ReadOptions = NO_OPTIONS
    restart: bool = False
    overrides: Overrides = field(default_factory=Overrides)
    traces: TraceOrder = field(default_factory=TraceOrder)

    @property
    def fhir_path(self) -> Path | None:
        """The file of FHIR Bundles."""
        return None if self.fhir is None else self.fhir.path


def annotate_inputs(order: Order, *, engine_factory: EngineFactory | None = None) -> int:
    """Runs an order and gives the exit code: 0; 1 when sentences failed or inputs were skipped; 130 when stopped.

    ``engine_factory`` None: the local engine on the configured base model.
    """
    return _Session(order, engine_factory).run()


@dataclass(frozen=True, slots=True)
class _Progress:
    """What keeps track of a run: its numbers, its finished sentences, its traces."""

    tally: RunCounts
    journal: Journal | None
    recorded: Recording | None

    @property
    def tracer(self) -> Tracer | None:
        """What the graph hands its states to."""
        return None if self.recorded is None else self.recorded.tracer


class _Session:
    """The parts of a run that its steps share."""

    _interruption: Interruption

    def __init__(self, order: Order, engine_factory: EngineFactory | None) -> None:
        self._order = order
        named = (order.output, order.table, order.fhir_path, order.html)
        written = tuple(path for path in named if path is not None)
        self._messages = RunMessages(written, legend=self._resumable is None and not order.as_json)
        self._say = self._messages.say
        self._configuration = configured(order.overrides)
        self._labels = self._configuration.label_set
        self._is_local = engine_factory is None
        self._factory = engine_factory or local_engine

    # Looked for after the inputs: nobody should pull a model to learn that a file name is misspelt.
    @cached_property
    def _model(self) -> Path | None:
        return model_folder(self._configuration) if self._is_local and needs_model(self._configuration) else None

    @cached_property
    def _fingerprint(self) -> str:
        return fingerprint(self._configuration, self._model, own_bases=self._is_local)

    def run(self) -> int:
        with interruptible() as self._interruption:
            return self._run_order()

    def _run_order(self) -> int:
        order = self._order
        refuse_overwriting(self._written(), [*order.overrides.answers, order.overrides.config])
        with open_inputs(
            order.inputs,
            order.text,
            standard_input(),
            outputs=self._written(),
            tables=order.options.text_key is not None,
            on_remark=self._say,
        ) as sources:
            inputs = Inputs(
                sources,
                text=order.text,
                format=order.format,
                skip_bad=order.skip_bad,
                limit=order.limit,
                options=order.options,
            )
            survey = inputs.survey(Splitting.of(self._configuration), hashes=self._keeps_journal)
            for line in inputs.guess_lines():
                self._say(line)
            self._messages.bad(inputs.bad)
            told = len(inputs.bad)
            if not survey.complete:
                self._say(f"a large table: {survey.documents:,} rows are read, the others while the work goes on")
            if survey.documents == 0:
                raise UserError("nothing to annotate: no document could be read")
            self._outlets(several=False).check()
            tally = RunCounts(survey.sentences if survey.complete else None)
            with self._journal(survey) as journal:
                with self._recording() as recorded:
                    stopped = self._annotate(inputs, survey, _Progress(tally, journal, recorded))
                self._messages.bad(inputs.bad, since=told)
                (self._messages.stopped if stopped else self._messages.ended)(tally, journal)
                if recorded is not None:
                    for line in recorded.closing_lines():
                        self._say(line)
                if stopped:
                    return 130
                if journal is not None and not tally.failed:
                    journal.remove()
            return 1 if tally.failed or inputs.bad or (recorded and recorded.writer.lost) else 0

    def _recording(self) -> AbstractContextManager[Recording | None]:
        order = self._order.traces
        if order.policy is TracePolicy.NONE:
            return nullcontext()
        record = run_record(self._configuration, order, kind="annotate", fingerprint=self._fingerprint)
        return recording(order, record)

    def _annotate(self, inputs: Inputs, survey: Survey, progress: _Progress) -> bool:
        """Whether the run was stopped by Ctrl-C."""
        model, notice = self._model, self._configuration.notice("en")
        if notice:
            self._say(f"note: {notice}")
        for host in self._configuration.judge.goes_out_to():
            self._say(f"note: the judge sends sentences of these texts to {host}")
        bases = bases_here(self._configuration) if self._is_local else ()
        if len(bases) > 1:
            self._say(memory_in_words(self._configuration, model, adapter_names(self._configuration)))
        if bases:
            self._say(f"loading {', '.join(bases)}")
        outlets = self._outlets(several=survey.documents > 1)
        self._interruption.at_once = partial(self._end_at_once, outlets, inputs, progress)
        try:
            with outlets.opened() as emit, warnings.catch_warnings():
                # LangGraph drops tasks it has not begun when it is cancelled; on Ctrl-C that is as it should be.
                warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
                asyncio.run(self._run(inputs, progress, emit))
        except (KeyboardInterrupt, asyncio.CancelledError):
            return True
        except (MednerError, BrokenPipeError):
            if progress.journal:
                self._messages.failed(progress.journal)
            raise
        return False

    def _end_at_once(self, outlets: RunOutputs, inputs: Inputs, progress: _Progress) -> None:
        """What must not stay away even where Ctrl-C is pressed again and again. Finished sentences are on disk."""
        outlets.discard()
        discard_copies(inputs.sources)
        self._messages.stopped(progress.tally, progress.journal)

    async def _run(self, inputs: Inputs, progress: _Progress, emit: Emit) -> None:
        self._interruption.holds()
        configuration, tally = self._configuration, progress.tally
        async with assembled(
            configuration, model=self._model, engine_factory=self._factory, tracer=progress.tracer
        ) as pipeline:
            tally.start()
            with showing(tally, self._messages.console) as on_progress:
                run = Annotating(pipeline, tally, journal=progress.journal, on_progress=on_progress)
                await run.run(inputs.split_documents(Splitting.of(configuration)), emit)

    def _written(self) -> dict[str, Path]:
        """The files that the run writes, by their options."""
        order = self._order
        named = {"-o": order.output, "--table": order.table, "--html": order.html, "--traces": order.traces.file}
        named["--fhir"] = order.fhir_path
        if self._resumable is not None:
            named["the journal"] = journal_path(self._resumable)
        return {option: path for option, path in named.items() if path is not None}

    def _outlets(self, *, several: bool) -> RunOutputs:
        order = self._order
        page = None
        if order.html is not None:
            facts = {
                **self._configuration.described(),
                "fingerprint": self._fingerprint,
                "medner": version("medner"),
            }
            page = Page(order.html, facts, self._configuration.notice(order.language), order.language)
        return RunOutputs(
            self._labels,
            sys.stdout,
            order.output,
            order.as_json,
            several,
            page,
            order.table,
            order.options.table.keep,
            order.fhir,
            self._say,
        )

    @property
    def _resumable(self) -> Path | None:
        """The output that the journal lies beside."""
        return self._order.output or self._order.table or self._order.fhir_path

    @property
    def _keeps_journal(self) -> bool:
        output = self._resumable
        # A device or a pipe has nothing to come back to.
        return output is not None and (output.is_file() or not output.exists())

    @contextmanager
    def _journal(self, survey: Survey) -> Iterator[Journal | None]:
        output = self._resumable
        if output is None or not self._keeps_journal:
            yield None
            return
        identity = RunIdentity(self._fingerprint, survey.hashes)
        with open_journal(output, identity, restart=self._order.restart) as journal:
            if journal.resumed:
                self._messages.resumed(journal)
            yield journal
