import type { Command } from 'commander'
import { type Role, role } from '../../schema/api/access.ts'
import type { KeyView, ScopeView } from '../../schema/api/keys.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { collect, duration, noun, type Runner } from '../command.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import { formatInstant, instantText } from '../duration.ts'
import type { Session } from '../session.ts'
import { table } from '../text.ts'

export function addKey(program: Command, runner: Runner): void {
  const key = noun('key', 'API keys of the organisation')
  key
    .command('list')
    .description('valid ones, what they may do and when they were used last')
    .option('--all', 'also those that have expired or were revoked')
    .action(runner.action(listKeys))
  key
    .command('create')
    .description('makes one; its secret is shown once')
    .argument('<name>')
    .requiredOption(
      '--scope <role>',
      'read, operate or admin; in one cluster only: operate:prod. May be given several times',
      collect,
    )
    .addOption(duration('--expires', 'how long it is valid, e.g. 90d; for ever where not said'))
    .action(runner.action(create))
  key
    .command('rotate')
    .description(
      'makes a new secret for a key, shown once; the one before is valid for a while yet',
    )
    .argument('<name>')
    .addOption(
      duration('--overlap', 'how long the secret before is valid yet').default(86_400_000, '1d'),
    )
    .action(runner.action(rotate))
  key
    .command('revoke')
    .description('ends a key at once')
    .argument('<name>')
    .addOption(yesOption())
    .action(runner.action(revoke))
  program.addCommand(key)
}

export function addWhoami(program: Command, runner: Runner): void {
  program
    .command('whoami')
    .description('the person or key in use: the organisation, and what it may do')
    .action(runner.action(whoami))
}

const scopeText = ({ role, cluster }: ScopeView): string =>
  cluster ? `${role}:${cluster.name}` : role
const scopesText = (scopes: readonly ScopeView[]): string =>
  scopes.map(scopeText).join(',') || 'none'

async function listKeys(session: Session, { all = false }: { all?: boolean }): Promise<undefined> {
  const answer = await session.call('listKeys')
  const keys = answer.keys.filter((one) => all || one.state === 'valid')
  const row = (one: KeyView) => [
    one.name,
    scopesText(one.scopes),
    one.prefixes.map((prefix) => `${prefix}…`).join(' ') || '-',
    instantText(one.lastUsedAtMs),
    instantText(one.expiresAtMs),
    ...(all ? [one.state] : []),
  ]
  const heads = ['name', 'scopes', 'begins with', 'last used', 'expires', ...(all ? ['state'] : [])]
  session.out.answer({ keys }, () => table(heads, keys.map(row)))
}

async function create(
  session: Session,
  options: { scope: string[]; expires?: number },
  name: string,
): Promise<undefined> {
  const scopes = options.scope.map(parseScope)
  const ttlMs = options.expires
  const body = { name, scopes, ...(ttlMs !== undefined && { ttlMs }) }
  const made = await session.call('createKey', { body })
  // The key alone is the data: it can go straight into a file or a pipe.
  session.out.answer(made, () => made.key)
  const until =
    made.expiresAtMs === null ? 'for ever' : `until ${formatInstant(made.expiresAtMs, Date.now())}`
  session.out.note(`key ${made.name}, ${until}; shown once`)
}

async function rotate(
  session: Session,
  options: { overlap: number },
  name: string,
): Promise<undefined> {
  const body = { overlapMs: options.overlap }
  const made = await session.call('rotateKey', { params: { key: name }, body })
  session.out.answer(made, () => made.key)
  const until = formatInstant(made.overlapUntilMs, Date.now())
  session.out.note(`new secret of key ${made.name}, shown once; the one before: until ${until}`)
}

async function revoke(session: Session, options: YesOption, name: string): Promise<undefined> {
  await confirm(session, `revoke key ${name}: whatever uses it is refused from then on`, options)
  const done = await session.call('revokeKey', { params: { key: name } })
  session.out.answer(done, () => `key ${done.name} revoked`)
}

async function whoami(session: Session): Promise<undefined> {
  const me = await session.call('whoami')
  session.out.answer(me, () =>
    [
      `${me.kind.padEnd(14)}${me.name}`,
      `organisation  ${me.organisation.name}`,
      ...(me.role ? [`role          ${me.role}`] : []),
      `scopes        ${scopesText(me.scopes)}`,
      `expires       ${instantText(me.expiresAtMs)}`,
    ].join('\n'),
  )
}

function parseScope(text: string): { role: Role; cluster?: string } {
  const [said = '', ...rest] = text.split(':')
  const parsed = role.safeParse(said)
  const cluster = rest.join(':')
  if (!parsed.success || (rest.length > 0 && cluster === ''))
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `"${text}" is not a scope`,
      why: `A scope is one of ${role.options.join(', ')}, alone or with a cluster: operate:prod.`,
      remedy: 'For example: --scope read --scope operate:prod',
    })
  return { role: parsed.data, ...(rest.length > 0 && { cluster }) }
}
