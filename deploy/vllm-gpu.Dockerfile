# vLLM's own image for NVIDIA GPUs and, beside it, medner: for `medner serve-models` and its plugins.
FROM vllm/vllm-openai:v0.32.0
WORKDIR /srv/medner
COPY . .
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
# In vLLM's environment only medner itself; what its command needs lies in one of its own.
RUN python3 -m venv /srv/medner-venv && /srv/medner-venv/bin/pip install --no-cache-dir . \
    && pip install --no-cache-dir --no-deps . \
    && mkdir -p /srv/vllm/bin && ln -s "$(command -v python3)" /srv/vllm/bin/python
ENV PATH=/srv/medner-venv/bin:$PATH
EXPOSE 8101
ENTRYPOINT ["medner"]
