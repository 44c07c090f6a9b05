#!/bin/sh
# The quick witness: like demo/witness.ts, and it has its lock before Node.js would have started.
# What it forks holds the lock too, by the descriptor that it inherits.
#
#   sh quick-witness.sh FOLDER
folder=$1
mkdir -p "$folder"
exec 9>>"$folder/lock"
flock --exclusive --nonblock 9
free=$?

record() {
  # Seconds with two decimals: without the dot, and with a zero, milliseconds since boot.
  read -r up _ </proc/uptime
  # One write of one line, appended: lines of several hosts do not mix.
  echo "{\"what\":\"$1\",\"atMs\":${up%.*}${up#*.}0,\"owner\":\"$HOLDFAST_NODE\",\"epoch\":${HOLDFAST_EPOCH:-0},\"name\":\"$HOLDFAST_RESOURCE\",\"pid\":$$}" >>"$folder/ledger"
}

[ "$free" = 0 ] || record overlap
trap 'record end; exit 0' TERM
record start
# An overlap has been recorded; from here on it waits for the lock like anybody.
[ "$free" = 0 ] || flock --exclusive 9
sleep 1000000 &
wait
