#!/bin/bash
# GET /readyz of the process in this container. By bash, which starts in milliseconds: with a Node.js per probe and
# replica, the probes would be the busiest process of an idle system.
exec 3<>"/dev/tcp/127.0.0.1/$INTERNAL_PORT" || exit 1
printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3
read -r status <&3
[[ $status == 'HTTP/1.1 200 '* ]]
