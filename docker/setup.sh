#!/bin/sh
# Makes the volumes ready for the other services; may be run again at any time.
set -eu

user=10010
for folder in /run/standardiste /data /etc/asterisk /var/lib/asterisk /var/spool/asterisk /var/log/asterisk \
    "$IVR_STATE_DIR" "$IVR_SOUNDS_DIR"; do
    chown -R "$user:$user" "$folder"
    chmod 0750 "$folder"
done

as_user() { setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs --inh-caps=-all "$@"; }
export HOME=/tmp

# A draft with faults keeps the published plan from nothing; without one, the next line ends it.
as_user ivr check || echo "setup: the draft has faults, see above" >&2
as_user ivr prompts build
as_user ivr asterisk render --out /etc/asterisk
