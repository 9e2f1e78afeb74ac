#!/bin/sh
# usage: test.sh IMAGE [HOST]: runs the image and asks it for its page; HOST is where the engine publishes ports.
set -eu
id=$(docker run -d -p 8080 "$1")
trap 'docker rm -f "$id" >/dev/null' EXIT
port=$(docker port "$id" 8080 | sed -n '1s/.*://p')
curl -fsS --retry 30 --retry-delay 1 --retry-all-errors "http://${2:-localhost}:$port/" | grep -q 'Hello from Sundog'
echo "$1 answers"
