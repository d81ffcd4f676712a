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
# What is spoken once is not spoken again.
export HOME=/tmp XDG_CACHE_HOME="$IVR_STATE_DIR/cache"

as_user ivr check
as_user ivr prompts build --out "$IVR_SOUNDS_DIR"
as_user ivr asterisk render --out /etc/asterisk
