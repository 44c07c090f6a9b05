/** `doctor`: looks at all that a host needs, and says what to do about what is not well. */
import type { Command } from 'commander'
import { HoldfastError } from '../../schema/errors.ts'
import { readIdentity } from '../agent/identity.ts'
import { checkView, examine, guardOf, problemsIn, renderChecks } from '../host/checks.ts'
import { lookAtNetwork } from '../host/checks-network.ts'
import { parsed } from '../host/reach.ts'
import { EXIT } from './exit-codes.ts'
import type { Host, Runner } from './host.ts'
import { timeout } from './options.ts'

interface DoctorOptions {
  readonly url?: string
  readonly timeout: number
}

/** Enough to see the second of the control plane turn. */
const SAMPLES = 30

export function addDoctor(program: Command, runner: Runner): void {
  program
    .command('doctor')
    .description('looks at all that a host needs, and changes nothing')
    .option('--url <address>', 'control plane, if not the one that this host has joined')
    .addOption(timeout('how long the control plane may take', '10s'))
    .action(runner.action<DoctorOptions>(doctor))
}

async function doctor(host: Host, options: DoctorOptions): Promise<number> {
  const { folders } = host
  const url = options.url ?? process.env['HOLDFAST_URL'] ?? joinedUrl(folders.state)
  if (url !== null) parsed(url)
  const [guard, network] = await Promise.all([
    guardOf(folders.run),
    lookAtNetwork(url, { timeoutMs: options.timeout, samples: SAMPLES }),
  ])
  const checks = await examine({ ...folders, root: '/', guard, network })
  const problems = problemsIn(checks)
  const warnings = checks.filter((check) => check.state === 'warning').length
  host.answer(
    { ok: problems === 0, problems, warnings, checks: checks.map(checkView) },
    `${renderChecks(checks)}\n${count(problems, 'problem')}, ${count(warnings, 'warning')}`,
  )
  return problems > 0 ? EXIT.problems : EXIT.done
}

function joinedUrl(state: string): string | null {
  try {
    return readIdentity(state).url
  } catch (error) {
    // Not joined, or damaged: a check of its own says which.
    if (error instanceof HoldfastError) return null
    throw error
  }
}

const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`
