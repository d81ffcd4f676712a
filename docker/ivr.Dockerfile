# The worker, and the tools of `setup`. The locked wheels come from build/wheels where
# there are some (`make compose-test` puts them there), else from the package index.
FROM python:3.11-slim-bookworm AS libraries

WORKDIR /build
COPY pyproject.toml requirements.txt build/wheel[s] wheels/
RUN python3 -m venv /opt/ivr
RUN ls wheels/*.whl >/dev/null 2>&1 \
    || /opt/ivr/bin/pip download --no-deps --require-hashes --only-binary :all: --dest wheels --requirement wheels/requirements.txt
# Of all that is locked, what the product needs: the rest is for tests.
RUN python3 -c 'import tomllib; print(*tomllib.load(open("wheels/pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
        > needed.txt \
    && /opt/ivr/bin/pip --disable-pip-version-check install --no-index --find-links wheels --requirement needed.txt \
    && /opt/ivr/bin/pip uninstall --yes --quiet setuptools pip \
    && find /opt/ivr -type d -name tests -prune -exec rm -rf {} +


FROM python:3.11-slim-bookworm

# pico, which speaks the prompts, is in Debian's section non-free.
RUN find /etc/apt/sources.list /etc/apt/sources.list.d -type f 2>/dev/null | xargs sed -i -E \
        -e 's/^(Components:.*) main\b/\1 main non-free/' -e 's/^(deb .*) main\b/\1 main non-free/' \
    && printf 'path-exclude=/usr/share/%s/*\n' man doc locale > /etc/dpkg/dpkg.cfg.d/lean \
    && apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends libttspico-utils \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/*

RUN groupadd --gid 10010 standardiste \
    && useradd --uid 10010 --gid 10010 --no-create-home --home-dir /srv/standardiste --shell /usr/sbin/nologin standardiste

COPY --from=libraries /opt/ivr /opt/ivr
WORKDIR /srv/standardiste
COPY asterisk-config asterisk-config
COPY dialplan dialplan
COPY docker docker
COPY ivr ivr
COPY prompts prompts
RUN /opt/ivr/bin/python -m compileall -q ivr \
    && printf '#!/bin/sh\nexec /opt/ivr/bin/python -m ivr "$@"\n' > /usr/local/bin/ivr \
    && chmod 0755 /usr/local/bin/ivr docker/setup.sh

ENV LANG=C.UTF-8 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/srv/standardiste
USER 10010:10010
ENTRYPOINT ["/usr/local/bin/ivr"]
CMD ["serve"]
