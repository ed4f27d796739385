#!/bin/sh
# Makes the three servers a replica set, and the user that the notifications' processes log in as.
set -eu
exec mongosh --quiet --norc --file /scripts/initiate-mongodb.js \
  "mongodb://root:$(cat /secrets/mongodb-root-password)@mongodb-1:27017/admin?directConnection=true"
