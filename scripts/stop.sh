#!/bin/sh
# Stops the appliance that start.sh started, and waits until it has.
exec "$(dirname "$0")/start.sh" stop "$@"
