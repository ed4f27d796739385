#!/bin/sh
# Replicas share one environment; the container's name tells them apart in logs and in pg_stat_activity.
export INSTANCE="${INSTANCE:-$HOSTNAME}"
exec node "$@"
