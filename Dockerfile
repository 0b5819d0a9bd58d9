# syntax=docker/dockerfile:1
# HTTP server with the base install, without torch. docker build -t facepoints . && docker run --rm -p 127.0.0.1:8000:8000 facepoints

FROM python:3.13-slim AS built
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin facepoints
COPY --from=built /venv /venv
# writes no files: can run with --read-only
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=4)"]
# all addresses of the container; `docker run -p` selects those of the host
ENTRYPOINT ["facepoints", "serve", "--host", "0.0.0.0", "--port", "8000"]
