import type { Command } from 'commander'
import type { Response } from '../../schema/api/routes.ts'
import { type VmSettings, vmSettings } from '../../schema/api/vm-settings.ts'
import { noun, type Runner } from '../command.ts'
import type { Session } from '../session.ts'
import { clean, facts } from '../text.ts'
import { changeOf, VM_WORDS } from '../vm-words.ts'

interface SetOptions {
  readonly ifVersion?: string
  readonly dryRun?: true
}

export function addVm(program: Command, runner: Runner): void {
  const vm = noun('vm', 'settings of virtual machines: memory, CPUs, disks, network, boot')
  vm.command('settings')
    .description('what is configured, and where the one that runs differs')
    .argument('<resource>')
    .action(runner.action(settings))
  vm.command('set')
    .description(
      'changes settings: memory and CPUs while it runs where it can, the rest from its next start on',
    )
    .argument('<resource>')
    .argument('<setting=value...>', 'e.g. memory=4G cpus=2 boot=vda,net0 disk.vda.source=/vm/a.img')
    .option('--if-version <version>', 'only if nobody has changed it since (see: vm settings)')
    .addHelpText('after', `\n${VM_WORDS}`)
    .action(runner.action(set))
  program.addCommand(vm)
}

async function settings(session: Session, _: unknown, resource: string): Promise<undefined> {
  const answer = await session.inCluster('getSettings', { params: { resource } })
  session.out.answer(answer, () => settingsText(answer))
}

async function set(
  session: Session,
  { dryRun, ifVersion }: SetOptions,
  resource: string,
  words: string[],
): Promise<undefined> {
  const body = {
    change: changeOf(words),
    ...(ifVersion !== undefined && { version: ifVersion }),
    ...(dryRun && { dryRun }),
  }
  const done = await session.inCluster('changeSettings', { params: { resource }, body })
  session.out.answer(done, () => {
    if (!done.changed) return `${resource} is so already; nothing was written`
    const rows = facts(rowsOf(done.settings))
    if (done.dryRun) return `${resource} would be so (nothing was written):\n${rows}`
    const when =
      done.takesEffect === 'now'
        ? Object.keys(done.live).length > 0
          ? 'it runs with it; nothing has to be started again'
          : 'it does not run: its next start has it'
        : `it runs on as it was started; its next start has it (a reboot inside the guest is none):\n` +
          `  holdfast offline ${resource}; holdfast online ${resource}`
    const tried = Object.entries(done.live).map(([setting, why]) => liveLine(setting, why))
    return [`${resource} changed (seq ${done.seq}); ${when}`, ...tried, rows].join('\n')
  })
}

/** Memory is asked of the guest, which gives what it can when it can. */
function liveLine(setting: string, why: string | null): string {
  const name =
    setting === 'currentMemoryMib' ? 'memory' : setting === 'currentCpus' ? 'CPUs' : setting
  if (why !== null) return `  ${name} while it runs: no: ${clean(why)}`
  return `  ${name} while it runs: ${name === 'memory' ? 'the guest was asked (balloon)' : 'done'}`
}

function settingsText(answer: Response<'getSettings'>): string {
  const { resource, version, running, unseen } = answer
  const rows = [['resource', resource], ['version', version], ...rowsOf(answer.settings)]
  return [facts(rows), ...runningLines(running, unseen)].join('\n')
}

function runningLines(
  running: Response<'getSettings'>['running'],
  unseen: string | null,
): readonly string[] {
  if (unseen !== null) return [`what runs is not seen: ${clean(unseen)}`]
  if (!running) return ['it does not run']
  if (running.differences.length === 0) return [`it runs on ${clean(running.node)} as configured`]
  const rows = running.differences.map(({ field, configured, running: has }) => [
    ...[`  ${field}`, `runs with ${valueText(has)}`, `next start: ${valueText(configured)}`],
  ])
  return [`it runs on ${clean(running.node)} as it was started:`, facts(rows)]
}

const valueText = (value: unknown): string =>
  value === null ? 'none' : typeof value === 'string' ? value : JSON.stringify(value)

/** In the words of `vm set`. */
function rowsOf(value: unknown): string[][] {
  const known = vmSettings.safeParse(value)
  if (!known.success) return [['settings', JSON.stringify(value)]]
  return [...machineRows(known.data), ...deviceRows(known.data)]
}

function machineRows(one: VmSettings): string[][] {
  const { topology: t, cpuMode, cpuModel } = one
  const rows: [string, string | null][] = [
    ['memory', sizeText(one.memoryMib)],
    ['current-memory', one.currentMemoryMib === null ? null : sizeText(one.currentMemoryMib)],
    ['max-memory', one.maxMemoryMib === null ? null : sizeText(one.maxMemoryMib)],
    ['cpus', String(one.cpus)],
    ['current-cpus', one.currentCpus === null ? null : String(one.currentCpus)],
    ['topology', t && `${t.sockets}x${t.cores}x${t.threads}${t.dies > 1 ? ` ${t.dies} dies` : ''}`],
    ['cpu', cpuModel ?? cpuMode],
    ['firmware', one.firmware],
    ['boot', one.boot.join(',') || null],
  ]
  return rows.flatMap(([name, text]) => (text === null ? [] : [[name, text]]))
}

function deviceRows({ disks, interfaces }: VmSettings): string[][] {
  const said = (parts: readonly (string | null)[]) => parts.filter((one) => one !== null).join(' ')
  return [
    ...Object.entries(disks).map(([target, disk]) => [
      `disk.${target}`,
      said([
        disk.source ?? '(no medium)',
        disk.format,
        disk.bus,
        disk.device === 'disk' ? null : disk.device,
        disk.type === 'file' ? null : disk.type,
        disk.readonly ? 'readonly' : null,
      ]),
    ]),
    ...Object.entries(interfaces).map(([name, { type, source, model, mac }]) => [
      `nic.${name}`,
      said([type, source, model, mac ?? '(another address at each start)']),
    ]),
  ]
}

function sizeText(mib: number): string {
  return mib >= 1024 && mib % 1024 === 0 ? `${mib / 1024}G` : `${mib}M`
}
