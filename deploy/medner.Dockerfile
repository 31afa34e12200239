# medner's command: workers, the HTTP API, submitting, inspecting. Taggers run on the vLLM servers; what needs a model in
# the process (a trained judge, a two-way filter) runs here, on the processor.
FROM python:3.11-slim
RUN useradd --uid 1000 --create-home medner
WORKDIR /srv/medner
COPY pyproject.toml README.md LICENSE ./
COPY agents agents
COPY core core
COPY evaluation evaluation
COPY graph graph
COPY medner medner
COPY models models
COPY service service
COPY store store
COPY training training
# torch's CPU builds have an index of their own at PyTorch: --build-arg PIP_EXTRA_INDEX_URL=... chooses it.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
RUN pip install --no-cache-dir '.[local,http]'
USER medner
ENTRYPOINT ["medner"]
CMD ["--help"]
