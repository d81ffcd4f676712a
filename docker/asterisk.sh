#!/bin/sh
# Asterisk, with as many descriptors as it may have, up to what it can use.
set -eu
most=$(ulimit -H -n)
if [ "$most" = unlimited ] || [ "$most" -gt 65536 ]; then most=65536; fi
ulimit -S -n "$most"
exec asterisk -f -C /etc/asterisk/asterisk.conf "$@"
