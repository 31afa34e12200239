# vLLM for processors and, beside it, medner: `medner serve-models` writes vLLM's command line from the configuration.
FROM python:3.11-slim
RUN apt-get update && apt-get install --yes --no-install-recommends build-essential libnuma1 \
    && rm -rf /var/lib/apt/lists/* && useradd --uid 1000 --create-home medner
WORKDIR /srv/medner
COPY . .
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
RUN scripts/vllm_environment.sh /srv/vllm && pip install --no-cache-dir .
USER medner
EXPOSE 8101
ENTRYPOINT ["medner"]
