#!/bin/sh
# Starts one member of the replica set. mongod takes no key that anybody else may read, so it gets a copy of its own.
set -eu
umask 077
cp /secrets/mongodb-key /tmp/mongodb-key
exec docker-entrypoint.sh mongod --replSet casino --bind_ip_all --keyFile /tmp/mongodb-key --wiredTigerCacheSizeGB 0.25
