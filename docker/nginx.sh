#!/bin/sh
# Starts nginx, with the way to the replicas that its version has.
set -eu

version=$(nginx -v 2>&1)
version=${version##*/}
version=${version%% *}
if [ "$(printf '1.27.3\n%s\n' "$version" | sort -V | head -n 1)" = 1.27.3 ]; then
  replicas=upstreams
else
  replicas=lookups
fi
ln -sf "/etc/nginx/casino/compose.$replicas.conf" /tmp/replicas.conf
exec nginx -e stderr -c /etc/nginx/casino/compose.conf
