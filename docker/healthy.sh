#!/bin/sh
# Asterisk answers on its console, and has started in full.
exec asterisk -C /etc/asterisk/asterisk.conf -rx 'core waitfullybooted' | grep -q 'fully booted'
