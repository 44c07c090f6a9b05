/** `service install` and `uninstall`: the guard as a unit of systemd, which brings it back (A6). */
import { execFile } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Command } from 'commander'
import { HoldfastError } from '../../schema/errors.ts'
import { parsePeerListen } from '../agent/peer-listen.ts'
import { otherManagersText, systemdRuns, UNIT_NAME, UNIT_PATH, unitText } from '../host/unit.ts'
import { EXIT } from './exit-codes.ts'
import { DEFAULT_FOLDERS, type Folders, type Host, type Runner } from './host.ts'
import { peersOption } from './options.ts'

interface ServiceOptions {
  readonly dryRun?: true
  readonly prefix: string
  /** Of `install`. */
  readonly peers?: string
}

export function addService(program: Command, runner: Runner): void {
  const service = program
    .command('service')
    .description('the guard as a unit of systemd, started at boot and again when it dies')
  const add = (name: string, about: string, work: typeof install): Command => {
    const command = service
      .command(name)
      .description(about)
      .option('--dry-run', 'says what would be done, and does nothing')
      .option('--prefix <folder>', 'root of another system, whose systemd is not spoken to', '/')
      .action(runner.action<ServiceOptions>(work))
    return command
  }
  add(
    'install',
    'writes, checks and enables the unit; starts it on a host that has joined',
    install,
  ).addOption(peersOption())
  add('uninstall', 'stops and disables the unit and removes it', uninstall)
}

async function install(
  host: Host,
  { dryRun, prefix, peers = 'auto' }: ServiceOptions,
): Promise<number> {
  parsePeerListen(peers)
  const words = [...guardWords(host.folders), ...(peers === 'auto' ? [] : ['--peers', peers])]
  const text = unitText(words)
  const path = join(prefix, UNIT_PATH)
  const live = prefix === '/'
  const joined = existsSync(join(host.folders.state, 'identity.json'))
  const then = live ? [['daemon-reload'], joined ? ['enable', '--now'] : ['enable']] : []
  if (dryRun) {
    const run = then.map((one) => systemctlText(one))
    host.answer(
      { dryRun: true, changed: false, path, unit: text, run },
      [`would write ${path}:`, '', text, ...run.map((line) => `would run ${line}`)].join('\n'),
    )
    return EXIT.done
  }
  if (live && !systemdRuns()) throw noSystemd(words)
  const verified = await verify(text)
  const changed = !existsSync(path) || readFileSync(path, 'utf8') !== text
  if (changed) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text, { mode: 0o644 })
  }
  for (const one of then) await systemctl(one)
  const next = joined
    ? 'it runs; see: holdfast-probe status'
    : 'it starts once this host has joined'
  const known = verified
    ? 'systemd-analyze verify has nothing to say against it'
    : 'not verified: there is no systemd-analyze here'
  host.answer(
    { changed, path, verified, enabled: live, started: live && joined },
    `${changed ? 'wrote' : 'unchanged:'} ${path} (${known})\n${live ? `enabled; ${next}` : 'not enabled: --prefix names another system'}`,
  )
  return EXIT.done
}

async function uninstall(host: Host, { dryRun, prefix }: ServiceOptions): Promise<number> {
  const path = join(prefix, UNIT_PATH)
  const there = existsSync(path)
  const live = prefix === '/' && systemdRuns()
  const before = live && there ? [['disable', '--now']] : []
  if (dryRun) {
    const run = before.map((one) => systemctlText(one))
    const remove = there ? [`would remove ${path}`] : [`there is no ${path}`]
    host.answer(
      { dryRun: true, changed: false, path, run },
      [...run.map((line) => `would run ${line}`), ...remove].join('\n'),
    )
    return EXIT.done
  }
  for (const one of before) await systemctl(one)
  rmSync(path, { force: true })
  if (live && there) await systemctl(['daemon-reload'])
  host.answer(
    { changed: there, path },
    there ? `removed ${path}; identity and policy stay as they are` : `there is no ${path}`,
  )
  return EXIT.done
}

/** The guard itself, not a launcher of it: the process that systemd watches has to be the guard. */
function guardWords(folders: Folders): string[] {
  const script = realpathSync(process.argv[1] ?? '')
  const options = (Object.keys(DEFAULT_FOLDERS) as (keyof Folders)[])
    .filter((key) => folders[key] !== DEFAULT_FOLDERS[key])
    .flatMap((key) => [`--${key}`, folders[key]])
  return [process.execPath, '--max-semi-space-size=1', script, 'run', ...options]
}

/** @returns false where nothing can verify it. @throws {HoldfastError} systemd does not take it */
async function verify(text: string): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-unit-'))
  try {
    const path = join(folder, UNIT_NAME)
    writeFileSync(path, text)
    const said = await command('systemd-analyze', ['verify', '--man=no', path])
    if (said === null) return false
    if (said.code === 0 && !said.text.includes(UNIT_NAME)) return true
    throw new HoldfastError({
      code: 'INTERNAL',
      message: 'systemd does not take the unit',
      why: said.text.slice(0, 500),
      remedy:
        'Nothing was installed. Report this with the version of systemd (systemctl --version).',
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const systemctlText = (words: readonly string[]) =>
  ['systemctl', ...words, ...(words[0] === 'daemon-reload' ? [] : [UNIT_NAME])].join(' ')

async function systemctl(words: readonly string[]): Promise<void> {
  const [, ...args] = systemctlText(words).split(' ')
  const said = await command('systemctl', args)
  if (said?.code === 0) return
  throw new HoldfastError({
    code: 'INTERNAL',
    message: `${systemctlText(words)} failed`,
    why: said?.text.slice(0, 500) ?? 'there is no systemctl',
    remedy: 'See what systemd says: journalctl -u holdfast-probe -n 20',
  })
}

/** @returns null when there is no such program */
function command(
  file: string,
  args: readonly string[],
): Promise<{ code: number; text: string } | null> {
  return new Promise((resolve) => {
    execFile(file, [...args], { timeout: 60_000 }, (error, stdout, stderr) => {
      if ((error as NodeJS.ErrnoException | null)?.code === 'ENOENT') return resolve(null)
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
      resolve({ code, text: `${stdout}${stderr}`.trim() })
    })
  })
}

const noSystemd = (words: readonly string[]) =>
  new HoldfastError({
    code: 'NO_SERVICE_MANAGER',
    message: 'systemd does not run this host, so there is nothing to install the unit into',
    why: 'There is no /run/systemd/system. Nothing was written.',
    remedy: `Have the service manager that there is run it, and start it again at once when it ends:\n${otherManagersText(words)}`,
  })
