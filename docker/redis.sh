#!/bin/sh
# Starts one Redis. The configuration is written once; from then on Sentinel keeps it, and who is primary with it.
set -eu
config=/data/redis.conf
if [ ! -e "$config" ]; then
  password=$(cat /secrets/redis-password)
  cat > "$config.new" <<CONF
dir /data
port 6379
protected-mode no
requirepass $password
masterauth $password
replica-announce-ip $NAME
appendonly yes
save ""
maxmemory 160mb
maxmemory-policy noeviction
CONF
  [ "$NAME" = "$FIRST_PRIMARY" ] || echo "replicaof $FIRST_PRIMARY 6379" >> "$config.new"
  mv "$config.new" "$config"
fi
exec redis-server "$config"
