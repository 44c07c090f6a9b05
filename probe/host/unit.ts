/** The systemd unit of the guard, as text, and whether there is a systemd to give it to. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { FATAL_EXITS } from './fatal-exits.ts'

export const UNIT_NAME = 'holdfast-probe.service'
/** Below the root of the file system. */
export const UNIT_PATH = `etc/systemd/system/${UNIT_NAME}`

/** As sd_booted(3) has it. */
export const systemdRuns = (root = '/'): boolean => existsSync(join(root, 'run/systemd/system'))

/** The guard's own limit is 30 s, then it kills: this is more than that and T_stop. */
const STOP_SECONDS = 45

/** @param words of the command line that runs the guard; never with anything secret in it */
export function unitText(words: readonly string[]): string {
  const final = FATAL_EXITS.join(' ')
  return `# Made by "holdfast-probe service install"; a change of yours belongs into a drop-in:
# systemctl edit holdfast-probe
[Unit]
Description=Holdfast probe: keeps what the cluster gives to this host running
Documentation=https://holdfast.dev/probe
# No network-online.target: the guard waits for nothing, and connects when it can.
After=network.target libvirtd.service
# Rule A6: a dead guard is replaced at once, however often it dies.
StartLimitIntervalSec=0

[Service]
Type=exec
# No credential stands here: the key of this host is in the state folder.
ExecStart=${words.map(quoted).join(' ')}
Restart=always
RestartSec=0
# What time cannot mend: usage, not joined, refused, in use. The guard has stopped everything before.
RestartPreventExitStatus=${final}

# Workloads live in cgroups of their own below this unit's, and only the guard itself is ever
# signalled. "systemctl stop" and a shutdown ask it to release its groups, which come up elsewhere.
# "systemctl restart" is to it as if it had crashed: what runs goes on, and the next guard finds it
# there (rules G10, G11). Before systemd 244 a restart releases the groups as well.
Delegate=yes
KillMode=process
RestartKillSignal=SIGKILL
TimeoutStopSec=${STOP_SECONDS}
# After a guard that had to be killed at a stop, or that is not started again, nobody would end its
# workloads when the lease does. Then the kernel ends them here, at once.
ExecStopPost=/bin/sh -c '${stopPost(FATAL_EXITS).replaceAll('$', '$$$$').replaceAll('%', '%%')}'

# The kernel's OOM killer takes a workload first (the guard gives what it starts a plain score), and
# a workload that it took is no reason to stop the service.
OOMScoreAdjust=-900
OOMPolicy=continue
# It counts for all workloads together.
TasksMax=infinity

StateDirectory=holdfast
StateDirectoryMode=0700
RuntimeDirectory=holdfast
RuntimeDirectoryMode=0700
# It holds the guard's records: without them a restart would take every workload for a stray.
RuntimeDirectoryPreserve=yes

# Not here, on purpose: NoNewPrivileges=, ProtectSystem=, ProtectHome=, PrivateTmp=, PrivateDevices=,
# ProtectKernelTunables=, RestrictAddressFamilies=, SystemCallFilter=, CapabilityBoundingSet= and their
# like. Workloads inherit all of it: a database could not write its home, sudo and setuid helpers would
# fail, a mount or address set by one would be seen by it alone. A mount namespace of the unit would
# also be a new one after each restart, while adopted workloads live in the old one. What bounds a
# workload is the host policy and its user= setting. What follows is of no effect on either.
NotifyAccess=none
StandardInput=null

[Install]
WantedBy=multi-user.target
`
}

/**
 * What runs after the guard has ended, in the shell. It does nothing after a death that is followed
 * by the next start, because that start adopts what runs.
 */
export function stopPost(finalExits: readonly number[]): string {
  const last = ['timeout:*', 'watchdog:*', ...finalExits.map((exit) => `*:${exit}`)].join('|')
  return (
    `case "$SERVICE_RESULT:$EXIT_STATUS" in ${last}) ` +
    'own=$(sed -n s/^0:://p /proc/self/cgroup); ' +
    'mount=$(while read -r _ path type _; do [ "$type" != cgroup2 ] || echo "$path"; done </proc/self/mounts); ' +
    'for kill in "$mount$' +
    '{own%/.control}"/holdfast-*/cgroup.kill; do [ ! -e "$kill" ] || echo 1 >"$kill"; done; esac'
  )
}

/** A word as systemd reads it: quoted where it has to be, with nothing expanded. */
function quoted(word: string): string {
  const plain = word.replaceAll('%', '%%').replaceAll('$', '$$$$')
  return /^[\w@%+=:,./$-]+$/.test(plain)
    ? plain
    : `"${plain.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`
}

/** How the guard is run where systemd is not. */
export function otherManagersText(words: readonly string[]): string {
  const line = words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`)).join(' ')
  const final = FATAL_EXITS.join('|')
  return `runit, /etc/service/holdfast-probe/run:
  #!/bin/sh
  exec ${line}
runit, /etc/service/holdfast-probe/finish (arguments: exit code, signal):
  #!/bin/sh
  case "$1" in ${final}) sv down holdfast-probe ;; esac

OpenRC, /etc/init.d/holdfast-probe:
  #!/sbin/openrc-run
  supervisor=supervise-daemon
  command=${words[0] ?? ''}
  command_args="${words.slice(1).join(' ')}"
  respawn_delay=0
  respawn_max=0

Docker, with the host's PID and network namespaces, and its own folders:
  docker run --restart always --privileged --pid host --network host --cgroupns host \\
    -v /var/lib/holdfast:/var/lib/holdfast -v /run/holdfast:/run/holdfast \\
    -v /etc/holdfast:/etc/holdfast -v /sys/fs/cgroup:/sys/fs/cgroup IMAGE ${line}

By hand, for a trial:
  while ${line}; code=$?; do case $code in ${final}) break ;; esac; done
`
}
