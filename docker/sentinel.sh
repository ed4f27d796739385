#!/bin/sh
# Starts one Sentinel. The configuration is written once; from then on Sentinel keeps in it who is primary.
set -eu
config=/data/sentinel.conf
if [ ! -e "$config" ]; then
  password=$(cat /secrets/redis-password)
  cat > "$config.new" <<CONF
dir /data
port 26379
protected-mode no
requirepass $password
# A container that comes back has another address and the same name.
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip $NAME
sentinel sentinel-pass $password
sentinel monitor $PRIMARY_NAME $FIRST_PRIMARY 6379 2
sentinel auth-pass $PRIMARY_NAME $password
sentinel down-after-milliseconds $PRIMARY_NAME 3000
sentinel failover-timeout $PRIMARY_NAME 10000
sentinel parallel-syncs $PRIMARY_NAME 1
CONF
  mv "$config.new" "$config"
fi
exec redis-sentinel "$config"
