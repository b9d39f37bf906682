#!/bin/sh
# Makes the appliance start with the machine: a systemd unit. --print only shows it.
exec "$(dirname "$0")/start.sh" install-service "$@"
