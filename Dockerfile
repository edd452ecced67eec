# syntax=docker/dockerfile:1
# Two stages: the first installs from the hash-pinned lock, the second holds the result and no build tools.
FROM python:3.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /src
COPY requirements.lock ./
RUN python -m venv /opt/bot && /opt/bot/bin/python -m pip install --require-hashes --only-binary=:all: -r requirements.lock
COPY . .
RUN /opt/bot/bin/python -m pip install --no-deps --no-build-isolation . \
    && /opt/bot/bin/python -m pip uninstall --yes pip setuptools \
    && /opt/bot/bin/python -m compileall -q /opt/bot/lib

FROM python:3.11-slim-bookworm
RUN python -m pip uninstall --yes pip setuptools wheel \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin bot \
    && install -d -o bot -g bot -m 0700 /data
COPY --from=build /opt/bot /opt/bot
ENV PATH=/opt/bot/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    MEMORY_DB_PATH=/data/memory.db HTTP_HOST=0.0.0.0 HTTP_PORT=8000 MPLCONFIGDIR=/tmp/matplotlib
# Everything the bot writes lies here; the rest of the file system may be read-only.
VOLUME /data
WORKDIR /data
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import sys, urllib.request; sys.exit(urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4).status != 200)"]
# SIGTERM drains: running answers end and go out within ten seconds.
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m", "bot"]
CMD ["run"]
