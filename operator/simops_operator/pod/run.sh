#!/bin/sh
# Runs the points of a pack one after another, in any image that has a POSIX shell.
#
# `pack.sh` beside this file says what to run; the bundle container writes both. For each point the command runs with its
# standard output and error going to the Pod's log and to the point's log.txt, and one line of results.jsonl says how it ended.
# A point that fails is followed by the next one: this script exits 0 at the end of the pack, 143 when it was told to stop.
#
# Needed: mkdir and sleep. With tee and mkfifo the log is shown while a point runs; without them it is only in log.txt.
# For each point two processes are started, the simulation and tee; everything else is done by the shell itself.
#
# The same in dash, busybox ash and bash. What has to be known about them:
# - A redirection that fails ends the shell if it belongs to a special builtin (`:`, `exec`, `.`); so it never does here, but in
#   a background process of its own.
# - `wait` ends early when a trapped signal comes. bash may then have lost how the process ended, so no signal is used but the
#   one that stops the pack, after which it is not asked.
# - A process that was just forked still has the traps of its parent, and loses a signal that comes before it has dropped them.
set -fu

points=${0%/*}
kill_after=${SIMOPS_KILL_SECONDS:-10}
cgroup=/sys/fs/cgroup
stopping=
results=
scratch=
child=
watcher=

# The line comes first, while there is time: the bundle container reads from it that the point under way did not bring the
# container down.
trap told_to_stop TERM
told_to_stop() {
  [ -z "$stopping" ] || return 0
  stopping=yes
  [ -z "$results" ] || printf '{"stopped":true}\n' >>"$results"
  [ -z "$scratch" ] || printf '' >"$scratch.stop"
  [ -z "$child" ] || kill -s TERM "$child" 2>/dev/null
  # bash waits for ever for a process that it has lost, as long as it has another one. Nothing needs the watcher any more.
  [ -z "$watcher" ] || kill -s KILL "$watcher" 2>/dev/null
}

# pack OUTPUTS SCRATCH SWEEP SECONDS: the first line of pack.sh.
pack() {
  outputs=$1
  scratch=$2/simops.$$
  sweep=$3
  limit=$4
  results=$outputs/results.jsonl
  export SIMOPS_POINT SIMOPS_JOB SIMOPS_OUTPUTS SIMOPS_PARAMS
  # Its time of change tells when the point under way has begun.
  printf '' >>"$results"
  count_oom_kills
  fifo=$scratch.log
  command -v tee >/dev/null 2>&1 && command -v mkfifo >/dev/null 2>&1 && mkfifo "$fifo" 2>/dev/null || fifo=
  { watch; } </dev/null >/dev/null 2>&1 &
  watcher=$!
}

# folders INDEX…: the folders of the next points. One mkdir makes those of many.
folders() {
  (cd "$outputs" && exec mkdir -p "$@")
}

# point INDEX COMMAND ARGUMENT…
point() {
  SIMOPS_POINT=$1
  shift
  [ -z "$stopping" ] || stop
  if [ -e "$points/cancelled/$SIMOPS_POINT" ]; then
    printf 'simops: point %s is cancelled\n' "$SIMOPS_POINT"
    return
  fi
  SIMOPS_JOB=$sweep-$SIMOPS_POINT
  SIMOPS_OUTPUTS=$outputs/$SIMOPS_POINT
  SIMOPS_PARAMS=$points/$SIMOPS_POINT.json
  printf 'simops: point %s\n' "$SIMOPS_POINT"
  now
  began=$clock
  start "$@"
  printf '%s %s %s\n' "$child" $((began + 100 * limit)) "$tee" >"$scratch.now"
  await
  now
  took=$((clock - began))
  end_leftovers
  # log.txt is complete when tee has ended. That is at once, unless something that cannot be ended holds the other end.
  [ -z "$tee" ] || wait "$tee" 2>/dev/null
  [ -z "$stopping" ] || stop
  why=
  explain
  printf '{"index":%s,"exitCode":%s,"seconds":%d.%02d%s}\n' \
    "$SIMOPS_POINT" "$code" $((took / 100)) $((took % 100)) "$why" >>"$results"
  printf 'simops: point %s: exit code %s after %d.%02d s\n' "$SIMOPS_POINT" "$code" $((took / 100)) $((took % 100))
}

# The time in hundredths of a second since the machine has started. 1 before the fraction, since 08 would be no octal number.
now() {
  up=0.00
  { read -r up _ </proc/uptime; } 2>/dev/null
  clock=$((${up%.*} * 100 + 1${up#*.} - 100))
}

# Both ends of the FIFO are opened here and inherited, as those of a pipe: opened by those who use them, one would wait for the
# other for ever if that had been killed.
start() {
  tee=
  if [ -n "$fifo" ]; then
    {
      tee "$SIMOPS_OUTPUTS/log.txt" <&6 5>&- 6<&- 7>&- &
      tee=$!
      { become "$@"; } </dev/null >&7 2>&1 5>&- 6<&- 7>&- &
      child=$!
    } 5<>"$fifo" 6<"$fifo" 7>"$fifo"
  fi
  if [ -z "$child" ]; then
    { become "$@"; } </dev/null >"$SIMOPS_OUTPUTS/log.txt" 2>&1 &
    child=$!
  fi
}

# A process just forked is not told to stop by a signal that it has lost, but finds what was left before the signal was sent.
# `exec`, so that the command is never one of this shell's own functions or builtins.
become() {
  [ ! -e "$scratch.stop" ] || exit 143
  exec "$@"
}

# Wait for the simulation; its exit code is in `code`. Whoever is told to stop before there is a child stops it here.
await() {
  [ -z "$stopping" ] || kill -s TERM "$child"
  wait "$child"
  code=$?
  while [ -n "$stopping" ] && kill -0 "$child"; do
    wait "$child"
  done
  child=
} 2>/dev/null

# Beside it all: stop the simulation when its time is over, and tee when something holds it back though the simulation has ended.
# Nothing in a shell waits for a limited time, and a process for each point that does would cost as much as a short point.
watch() {
  dead=
  told=
  while sleep 1 && kill -0 $$; do
    read -r process due helper <"$scratch.now" || continue
    now
    if ! kill -0 "$process"; then
      [ "$dead" != "$process $due" ] || kill -s KILL "$helper"
      dead="$process $due"
    elif [ "$clock" -lt "$due" ]; then
      continue
    elif [ "$told" != "$process $due" ]; then
      kill -s TERM "$process"
      told="$process $due"
      patience=$((clock + 100 * kill_after))
    elif [ "$clock" -ge "$patience" ]; then
      kill -s KILL "$process"
    fi
  done
}

# What a point has left in the background ends with it, as it would in a Pod of its own. Orphans become children of PID 1, so as
# PID 1 it is known which they are.
end_leftovers() {
  [ $$ -eq 1 ] || return 0
  left=100
  while [ "$left" -gt 0 ]; do
    # What was made while others were looked for is a child of PID 1 by the next time.
    left=$((left - 1))
    living=
    children_of 1
    for process in $found; do
      case $process in "$watcher" | "$tee") continue ;; esac
      ! is_alive "$process" || { living=1 && end_tree "$process"; }
    done
    [ -n "$living" ] || return 0
  done
}

# Not one that has ended and is still in the list: its end is asked for by nobody.
is_alive() {
  stat=
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null
  case ${stat##*) } in "" | Z* | X*) return 1 ;; esac
}

# Stopped first: one that runs may make another one after its children were asked for.
end_tree() {
  kill -s STOP "$1" 2>/dev/null
  children_of "$1"
  kill -s KILL "$1" 2>/dev/null
  for process in $found; do
    end_tree "$process"
  done
}

children_of() {
  found=
  { read -r found <"/proc/$1/task/$1/children"; } 2>/dev/null
}

# Why a point has failed, where the shell knows it.
explain() {
  if [ "$took" -ge $((100 * limit)) ]; then
    code=124
    why=',"reason":"DeadlineExceeded"'
  elif [ "$code" -ne 0 ]; then
    before=$oom_kills
    count_oom_kills
    [ "$oom_kills" -le "$before" ] || why=',"reason":"OOMKilled"'
  fi
}

# How many processes of this container the kernel has killed for want of memory (control groups of version 2 and 1).
count_oom_kills() {
  oom_kills=0
  for file in "$cgroup/memory.events" "$cgroup/memory/memory.oom_control"; do
    [ -r "$file" ] || continue
    while read -r name value; do
      [ "$name" != oom_kill ] || oom_kills=$value
    done <"$file"
  done
}

stop() {
  kill -s KILL "$watcher" 2>/dev/null
  exit 143
}

. "$points/pack.sh"
[ -z "$stopping" ] || stop
kill -s KILL "$watcher"
exit 0
