# docker build -t cadence . && docker run --env-file .env -v cadence:/data cadence
FROM python:3.13-slim AS built

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/cadence
ENV PATH=/opt/cadence/bin:$PATH
WORKDIR /src

COPY requirements/run.txt requirements/run.txt
RUN pip install --quiet --require-hashes -r requirements/run.txt

# Google's client ships the descriptions of all its interfaces, 110 MB. We speak one of them; prove that it still builds.
RUN set -eu; \
    documents="$(python -c 'import googleapiclient.discovery_cache as cache; print(cache.__path__[0])')/documents"; \
    find "$documents" -type f ! -name gmail.v1.json -delete; \
    python -c 'from googleapiclient.discovery import build; import httplib2; build("gmail", "v1", http=httplib2.Http(), static_discovery=True)'

COPY . .
RUN pip install --quiet --no-deps --no-build-isolation . && pip uninstall --quiet --yes pip


FROM python:3.13-slim

RUN useradd --system --uid 10001 --create-home --home-dir /data cadence
COPY --from=built /opt/cadence /opt/cadence
ENV PATH=/opt/cadence/bin:$PATH PYTHONUNBUFFERED=1

USER cadence
WORKDIR /data
VOLUME /data
EXPOSE 3000

# The database and nothing else lies in /data; with CADENCE_DATABASE_URL set it stays empty.
CMD ["sh", "-c", "cadence migrate && exec cadence run --port 3000"]
