# Asterisk from Debian unstable: the only Debian that has it. Its configuration comes in a volume.
FROM debian:sid-slim

# An old copy of the package lists is accepted; signatures are checked all the same.
RUN printf 'path-exclude=/usr/share/%s/*\n' man doc locale > /etc/dpkg/dpkg.cfg.d/lean \
    && apt-get -o Acquire::Check-Valid-Until=false update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends asterisk libnss-myhostname \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/*

# ARI's security fixes of June 2026 came with 22.10.1; 23 is not a long-term version.
RUN version=$(dpkg-query --show --showformat='${Version}' asterisk) \
    && if dpkg --compare-versions "$version" lt 1:22.10.1 || dpkg --compare-versions "$version" ge 1:23; \
       then echo "asterisk $version is not supported: 22.10.1 or later, below 23" >&2; exit 1; fi

# A host that does not find its own name stalls 5 s at each call: answered here without asking any server.
RUN sed -i 's/^hosts:.*/hosts: files myhostname dns/' /etc/nsswitch.conf

RUN rm -rf /etc/asterisk /var/lib/asterisk/* /var/spool/asterisk /var/log/asterisk \
    && mkdir -p /etc/asterisk /run/asterisk /var/spool/asterisk /var/log/asterisk /var/lib/standardiste/prompts \
    && chown 10010:10010 /run/asterisk /var/lib/asterisk /var/spool/asterisk /var/log/asterisk

COPY docker/healthy.sh /usr/local/bin/healthy
COPY docker/asterisk.sh /usr/local/bin/run-asterisk

ENV LANG=C.UTF-8 HOME=/tmp
USER 10010:10010
WORKDIR /tmp
ENTRYPOINT ["/usr/local/bin/run-asterisk"]
