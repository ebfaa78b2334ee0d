# The provider, with what PostgreSQL, Redis and SMPP need. Nothing of the build stays but the installed package.
#
#   docker build -t idp .
#   docker run --read-only --tmpfs /tmp -v idp:/var/lib/idp -v ./config.toml:/etc/idp/config.toml:ro -p 127.0.0.1:8000:8000 idp
#
# First `idp init` (it makes the root key in /var/lib/idp/keys), on PostgreSQL then `idp db upgrade`, once for all machines.

FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE config.example.toml ./
COPY templates templates
COPY idp idp
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN pip install -c constraints.txt hatchling \
    && pip wheel --no-deps --no-build-isolation -w /wheels . \
    && python -m venv /opt/idp \
    && /opt/idp/bin/pip install -c constraints.txt "$(echo /wheels/idp-*.whl)[postgresql,redis,smpp]"

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/idp --shell /usr/sbin/nologin idp \
    && install -d -o idp -g idp -m 0700 /var/lib/idp \
    && install -d /etc/idp
COPY --from=build /opt/idp /opt/idp
ENV PATH=/opt/idp/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    IDP_CONFIG=/etc/idp/config.toml \
    IDP_KEYS__FOLDER=/var/lib/idp/keys \
    IDP_SERVER__BIND=0.0.0.0
USER idp
WORKDIR /var/lib/idp
VOLUME /var/lib/idp
EXPOSE 8000
# Longer than the provider takes to let its requests finish: docker stop --time 35.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=2)"]
ENTRYPOINT ["idp"]
CMD ["serve"]
