#!/bin/sh
# A fence agent by the protocol of ClusterLabs: lines key=value on standard input, exit codes 0
# (on, done), 2 (status: off) and 1. The "plug" is a folder that says how to cut one host's power:
#   off.sh, on.sh   what to run            state   on | off
#   mode            how it misbehaves: hang, lie, garbage, fail (default: none)
# It takes FENCE_MS (file "ms") before it answers.
action=''
plug=''
while IFS='=' read -r key value; do
  case $key in
    action) action=$value ;;
    plug) plug=$value ;;
  esac
done
mode=$(cat "$plug/mode" 2>/dev/null)
[ -f "$plug/ms" ] && sleep "$(cat "$plug/ms")"
echo "$action $(date +%s%N)" >> "$plug/calls"
case $mode in
  hang) sleep 600 & wait ;;
  garbage) head -c 20000 /dev/urandom; exit 77 ;;
  fail) echo 'Connection timed out' >&2; exit 1 ;;
esac
case $action in
  off)
    [ "$mode" = lie ] || { sh "$plug/off.sh" && echo off > "$plug/state"; }
    ;;
  on) sh "$plug/on.sh" && echo on > "$plug/state" ;;
  status) [ "$(cat "$plug/state")" = off ] && exit 2 ;;
  monitor | metadata) ;;
  *) echo "unknown action $action" >&2; exit 1 ;;
esac
exit 0
