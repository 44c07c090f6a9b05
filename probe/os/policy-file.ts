/**
 * The host policy as a file: YAML, of which JSON is a part. Whoever may write it decides what runs here, so
 * it counts only if it belongs to root, or to who runs the probe, and nobody else may write it.
 */
import { existsSync, readFileSync, type Stats, statSync } from 'node:fs'
import { type HostPolicy, hostPolicy } from '../../schema/host-policy.ts'

/** What is wrong with it, and what to do. */
export class BadPolicy extends Error {
  /** `missing`: there is none, which allows nothing and is no fault. */
  readonly kind: 'missing' | 'owner' | 'mode' | 'content'
  readonly fix: string
  constructor(kind: BadPolicy['kind'], message: string, fix: string) {
    super(message)
    this.name = 'BadPolicy'
    this.kind = kind
    this.fix = fix
  }
}

/** A host that was set up with JSON goes on with it. */
export function policyPath(path: string): string {
  const json = path.replace(/\.ya?ml$/, '.json')
  return existsSync(path) || !existsSync(json) ? path : json
}

/** @throws {BadPolicy} it is not used, and why */
export async function readPolicyFile(named: string): Promise<HostPolicy> {
  const path = policyPath(named)
  const { text, stats } = contents(path)
  const uid = process.getuid?.() ?? 0
  if (stats.uid !== 0 && stats.uid !== uid)
    throw new BadPolicy('owner', `${path} belongs to user ${stats.uid}`, `chown root ${path}`)
  if ((stats.mode & 0o022) !== 0)
    throw new BadPolicy(
      'mode',
      `${path} can be written by others: it is not used`,
      `chmod go-w ${path}`,
    )
  try {
    return hostPolicy.parse(path.endsWith('.json') ? JSON.parse(text) : await fromYaml(text))
  } catch (error) {
    throw new BadPolicy(
      'content',
      `${path} is not understood: ${issueOf(error)}`,
      'Correct it; docs/resource-types.md has an example for each type.',
    )
  }
}

function contents(path: string): { text: string; stats: Stats } {
  try {
    return { stats: statSync(path), text: readFileSync(path, 'utf8') }
  } catch (error) {
    throw new BadPolicy(
      'missing',
      `nothing may run here: ${(error as Error).message}`,
      `Write what may, such as: process: { commands: [/usr/sbin/nginx] }, to ${path}`,
    )
  }
}

/** Loaded when it is needed: the guard keeps in memory what it loads. */
async function fromYaml(text: string): Promise<unknown> {
  const { parse } = await import('yaml')
  // An empty file is an empty policy; one name twice is a mistake, and not the second one.
  return parse(text, { schema: 'core', uniqueKeys: true, maxAliasCount: 10 }) ?? {}
}

function issueOf(error: unknown): string {
  const [issue] = (error as { issues?: { path: PropertyKey[]; message: string }[] }).issues ?? []
  if (issue) return `${issue.path.map(String).join('.') || 'it'}: ${issue.message}`
  return (error as Error).message.split('\n')[0] ?? ''
}
