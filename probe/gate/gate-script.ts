/**
 * The gate (G4 b): a small launcher that stands in a domain's XML as its emulator. It asks the
 * guard and then becomes the real emulator, with the same pid. No guard, no yes: no virtual machine.
 *
 * POSIX sh and FIFOs, because hosts have no compiler and a shell cannot speak to a unix socket.
 * The folder must be searchable for the user that emulators run as, and must not lie on a file
 * system mounted `noexec` (often /run is one).
 */

import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'

export interface GateOptions {
  /** Absolute path of the emulator that the gate becomes. */
  readonly emulator: string
  /** How long the launcher waits for the guard, in seconds. Then it refuses. */
  readonly waitSeconds?: number
  /** Environment that an emulator is found by, should all records be lost: NAME=VALUE. */
  readonly mark?: string
  /** Group that emulators run in; only it may ask. Absent: every user of the host may ask. */
  readonly gid?: number
}

/** Exit status of a refused start: EX_NOPERM. */
export const GATE_REFUSED = 77

export const GATE_NAME = 'holdfast-gate'

/**
 * Installs the launcher and the folder it asks in.
 *
 * libvirt keeps what it knows of an emulator by the launcher's ctime, so the file is left alone
 * while nothing has changed, and is replaced when the real emulator has: libvirt probes it again.
 *
 * @returns absolute path of the launcher, for `<emulator>`
 */
export function installGate(folder: string, options: GateOptions): string {
  const file = join(folder, GATE_NAME)
  const text = gateScript(folder, options)
  prepareGateFolder(folder, options.gid)
  if (read(file) === text) return file
  writeFileSync(`${file}.new`, text)
  chmodSync(`${file}.new`, 0o755)
  renameSync(`${file}.new`, file)
  return file
}

/** The FIFO that the guard reads. */
export function askPath(folder: string): string {
  return join(asksFolder(folder), 'ask')
}

export function asksFolder(folder: string): string {
  return join(folder, 'asks')
}

/**
 * Makes the folder of the FIFOs if it is missing. Whoever runs emulators (often not root) must be
 * able to make a FIFO there, and must not touch anybody else's: write and search, and sticky.
 */
export function prepareGateFolder(folder: string, gid?: number): void {
  const asks = asksFolder(folder)
  mkdirSync(folder, { recursive: true, mode: 0o755 })
  mkdirSync(asks, { recursive: true })
  chmodSync(asks, gid === undefined ? 0o1733 : 0o1730)
  if (gid !== undefined) chownSync(asks, -1, gid)
  const ask = askPath(folder)
  if (lstatSync(ask, { throwIfNoEntry: false })?.isFIFO()) return
  const made = spawnSync('mkfifo', [ask])
  if (made.status !== 0) throw new Error(`cannot make ${ask}: ${made.stderr?.toString() ?? ''}`)
  // Not by mkfifo -m: the mode must hold whatever the umask is.
  chmodSync(ask, gid === undefined ? 0o622 : 0o620)
  if (gid !== undefined) chownSync(ask, -1, gid)
}

/**
 * The launcher. It tells the guard only its pid and start time; name and kind of the start are read
 * by the guard from /proc, where they cannot be misstated.
 */
export function gateScript(folder: string, options: GateOptions): string {
  const { mtimeMs, size } = statSync(options.emulator)
  return SCRIPT.replaceAll('@EMULATOR@', quote(options.emulator))
    .replaceAll('@ASKS@', quote(asksFolder(folder)))
    .replaceAll('@MARK@', options.mark === undefined ? '' : `export ${options.mark}`)
    .replaceAll('@WAIT@', String(options.waitSeconds ?? 5))
    .replaceAll('@STAMP@', `${size} ${Math.trunc(mtimeMs)}`)
}

const SCRIPT = `#!/bin/sh
# Holdfast's gate: the emulator of virtual machines that a cluster owns. It asks the guard of this
# host before each start. Made by the probe; changes are overwritten.
# Emulator: @EMULATOR@ @STAMP@
emulator=@EMULATOR@
asks=@ASKS@

refuse() {
  rm -f "$answer" "$life"
  echo "holdfast gate: refused: $1" >&2
  exit ${GATE_REFUSED}
}

# libvirt asks an emulator for its abilities with the machine "none": that carries no guest.
machine=
previous=
for word in "$@"; do
  case $previous in
    -machine | --machine | -M) machine="$machine \${word%%,*}" ;;
  esac
  previous=$word
done
[ "$machine" = " none" ] && exec "$emulator" "$@"

# The pid alone is not an identity: it comes back. With the start time it does not.
started() {
  read -r stat <"/proc/$$/stat" || return 1
  set -- \${stat##*) }
  ticks=\${20}
}
answer= life= ticks=
started && [ -n "$ticks" ] || refuse 'cannot read its own start time'
answer=$asks/answer.$$.$ticks
life=$asks/life.$$.$ticks
mkfifo -m 600 "$answer" "$life" || refuse 'cannot make its FIFOs'

# Opened for reading and writing, because that never waits for the other side.
exec 8<>"$answer" 9<>"$life" || refuse 'cannot open its FIFOs'

# One child does all that may wait: for a guard to read, for its answer. It must not hold "life".
said=$(
  exec 9>&-
  exec timeout @WAIT@ sh -c 'printf "\\nask %s %s\\n" "$1" "$2" >"$3" && head -n 1 <&8' \\
    gate "$$" "$ticks" "$asks/ask"
)
case $said in
  yes) ;;
  'no '*) refuse "\${said#no }" ;;
  *) refuse 'the guard does not answer' ;;
esac
rm -f "$answer"
@MARK@
# The emulator keeps "life" open and never uses it: the guard sees its end when the emulator dies.
exec "$emulator" "$@" 8>&- 9>&9
`

/** Quoted for sh. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

function read(file: string): string | null {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return null
  }
}
