#!/bin/sh
# Publishes one event with kcat: publish.sh BOOTSTRAP TOPIC KEY FILE
#
# FILE holds the value: the magic byte 0, the schema's id in four bytes, the Avro datum. KEY is
# tenant/customer. kcat uses librdkafka: with its partitioner set, no event needs to be forwarded.
set -eu
exec kcat -P -b "$1" -t "$2" -k "$3" -X partitioner=murmur2_random "$4"
