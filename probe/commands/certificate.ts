/** What came of a certification, for people and programs. */
import { resolve } from 'node:path'
import { HoldfastError } from '../../schema/errors.ts'
import { type Certificate, certify } from '../certify/certify.ts'
import type { Verdict } from '../certify/trial.ts'
import type { Host } from './host.ts'

export interface CertifyFlags {
  readonly timeout: number
  readonly log?: true | undefined
}

/** @throws {HoldfastError} BAD_MODULE: it could not even be loaded */
export async function certified(
  host: Host,
  { timeout: timeoutMs, log }: CertifyFlags,
  file: string,
): Promise<Certificate> {
  const say = (message: string) => host.note(`  log: ${message}`)
  const result = await certify({ file: resolve(file), timeoutMs, ...(log && { log: say }) })
  if (!('why' in result)) return result
  throw new HoldfastError({
    code: 'BAD_MODULE',
    message: `${file} is no module that can be used`,
    why: result.why,
    remedy: 'Correct it, and certify it again. One to begin from: holdfast-probe module new NAME',
  })
}

export function documentOf({ manifest, ...rest }: Certificate) {
  const { type, version, title } = manifest
  return { type, version, title, ...rest }
}

const WORDS: Readonly<Record<Verdict['verdict'], string>> = {
  kept: 'kept  ',
  broken: 'BROKEN',
  notApplicable: '-     ',
}

export function certificateText(certificate: Certificate): string {
  const { manifest, sha256, certified, checks, commands } = certificate
  const { type, version } = manifest
  const lines = checks.map(({ verdict, title, detail }) => {
    const more = detail === '' ? '' : `: ${detail}`
    return `  ${WORDS[verdict]}  ${title}${more}`
  })
  const broken = checks.filter((check) => check.verdict === 'broken').length
  const policy = JSON.stringify({ modules: { [type]: { commands } } })
  return [
    ...lines,
    certified
      ? `${type} ${version} keeps the contract (SHA-256 ${sha256.slice(0, 12)}…)`
      : `${type} ${version} does not keep the contract: ${broken} of ${checks.length} broken`,
    ...(commands.length > 0 ? [`To start it, a host's policy has to have: ${policy}`] : []),
  ].join('\n')
}
