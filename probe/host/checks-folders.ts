/** The folders and files of a probe: whether they can be used, and what they say. */
import { existsSync, statfsSync, statSync } from 'node:fs'
import { HoldfastError } from '../../schema/errors.ts'
import type { HostPolicy } from '../../schema/host-policy.ts'
import { readIdentity } from '../agent/identity.ts'
import { bootId } from '../clock.ts'
import { BadPolicy, readPolicyFile } from '../os/policy-file.ts'
import type { Check, Examined } from './checks.ts'
import { lookAtFolder, lookAtKey, lookAtPlace, nearest } from './folders.ts'

const SPACE_MIN_MB = 16
const SPACE_WISH_MB = 100
/** File systems that are gone after a boot: tmpfs, ramfs. */
const IN_MEMORY = [0x01021994, 0x858458f6]

export function stateFolder({ state }: Examined): Check {
  const name = 'state folder'
  try {
    if (!existsSync(state)) {
      lookAtPlace(state)
      return { name, state: 'ok', found: `${state} is made when this host joins` }
    }
    lookAtFolder(state)
    const open = (statSync(state).mode & 0o077) !== 0
    if (!open) return { name, state: 'ok', found: `${state} is ours alone` }
    return {
      ...{ name, state: 'warning', found: `${state} can be read by others` },
      fix: `chmod 700 ${state}`,
    }
  } catch (error) {
    return refusedBy(name, error)
  }
}

export function identity({ state }: Examined): Check {
  const name = 'identity'
  try {
    const { nodeName, clusterName } = readIdentity(state)
    lookAtKey(state)
    return { name, state: 'ok', found: `node ${nodeName} of cluster ${clusterName}` }
  } catch (error) {
    const notJoined = error instanceof HoldfastError && error.refusal.code === 'NOT_JOINED'
    if (!notJoined) return refusedBy(name, error)
    return { name, state: 'info', found: 'this host has not joined a cluster' }
  }
}

function refusedBy(name: string, error: unknown): Check {
  if (!(error instanceof HoldfastError)) throw error
  const { refusal } = error
  return {
    ...{ name, state: 'problem', refusal },
    found: `${refusal.message}: ${refusal.why ?? ''}`,
    fix: refusal.remedy ?? 'Correct what it names.',
  }
}

/** Without a policy nothing may run; one that cannot be used is the same to the guard. */
export async function hostPolicyFile({
  policy: path,
}: Examined): Promise<{ check: Check; policy: HostPolicy }> {
  const name = 'host policy'
  try {
    const policy = await readPolicyFile(path)
    return { check: { name, state: 'ok', found: allowed(policy) }, policy }
  } catch (error) {
    if (!(error instanceof BadPolicy)) throw error
    const state = error.kind === 'missing' ? 'warning' : 'problem'
    return { check: { name, state, found: error.message, fix: error.fix }, policy: {} }
  }
}

function allowed(policy: HostPolicy): string {
  const parts = [
    some('process', policy.process?.commands),
    some('script', policy.script?.commands),
    some('ocf', policy.ocf?.agents),
    some('ip-address', policy['ip-address']?.networks),
    some('file-system', policy['file-system']?.targets),
    some('systemd-unit', policy['systemd-unit']?.units),
    some('modules', Object.keys(policy.modules ?? {})),
    some('virtual-machine', policy['virtual-machine']?.domains),
    some('endpoints', policy.endpoints?.hosts),
  ].filter((part) => part !== null)
  return parts.length > 0 ? `allows ${parts.join('; ')}` : 'allows nothing'
}

const SHOWN = 3
function some(section: string, patterns: readonly string[] | undefined): string | null {
  if (patterns === undefined || patterns.length === 0) return null
  const more = patterns.length > SHOWN ? ` and ${patterns.length - SHOWN} more` : ''
  return `${section}: ${patterns.slice(0, SHOWN).join(', ')}${more}`
}

/** G9: what the guard writes there must not outlive the boot; the boot id in it says so as well. */
export function runFolder({ run }: Examined): Check {
  const name = 'run folder'
  const type = statfsSync(nearest(run)).type
  if (IN_MEMORY.includes(type))
    return { name, state: 'ok', found: `${run} is in memory: a boot begins with an empty one` }
  return {
    ...{ name, state: 'warning' },
    found: `${run} survives a boot; the guard tells by the boot id (${bootId().slice(0, 8)}…)`,
    fix: 'Use a folder on a tmpfs, which /run is on most hosts.',
  }
}

export function diskSpace({ state, run }: Examined): Check {
  const name = 'free space'
  const folders = [state, run].map((folder) => {
    const { bavail, bsize, ffree, files } = statfsSync(nearest(folder))
    return { folder, mb: Math.floor((bavail * bsize) / 2 ** 20), full: files > 0 && ffree < 100 }
  })
  const found = folders.map(({ folder, mb }) => `${mb} MB in ${folder}`).join(', ')
  const least = Math.min(...folders.map((one) => (one.full ? 0 : one.mb)))
  if (least >= SPACE_WISH_MB) return { name, state: 'ok', found }
  return {
    ...{ name, state: least < SPACE_MIN_MB ? 'problem' : 'warning', found },
    fix: 'Make room: without it the guard can record no start, and starts nothing.',
  }
}
