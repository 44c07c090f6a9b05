/** `npm start`: the control plane and a demo cluster of three hosts, until Ctrl-C. */
import { type AddressInfo, createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { failureOf, renderFailure } from '../cli/render-error.ts'
import { renderStatus } from '../cli/render-status.ts'
import { profileName } from '../schema/timing.ts'
import { bundleCli } from '../tools/bundle-cli.ts'
import { settingsOf } from './accounts.ts'
import { CLUSTER, Demo, program } from './cluster.ts'
import { startControlPlane } from './control-plane.ts'

const { values } = parseArgs({
  options: {
    bare: { type: 'boolean', default: false },
    host: { type: 'string' },
    'owner-link': { type: 'boolean', default: false },
    port: { type: 'string' },
    profile: { type: 'string', default: 'standard' },
    state: { type: 'string', default: '.holdfast' },
    'no-vm': { type: 'boolean', default: false },
  },
})
const folder = resolve(values.state)
const port = Number(values.port ?? 8787)
/** One that was asked for, or that hosts have joined by: no other will do. */
const thisPortOnly = values.port !== undefined || values.bare
const say = (line: string) => process.stdout.write(`${line}\n`)

let ending = false
const onEnd = (end: () => Promise<void>) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(signal, () => {
      if (ending) return
      ending = true
      void end().then(
        () => process.exit(0),
        (error: unknown) => {
          process.stderr.write(`${error}\n`)
          process.exit(1)
        },
      )
    })
}

try {
  await (values.bare ? bare() : demo())
} catch (error) {
  const failure = failureOf(error)
  process.stderr.write(renderFailure(failure, { color: false, ascii: false, width: 100 }))
  process.exit(failure.exit)
}

/** The control plane alone, for hosts that join from elsewhere. */
async function bare(): Promise<void> {
  const control = await startControlPlane({
    folder: join(folder, 'control'),
    ...(values.host !== undefined && { host: values.host }),
    port,
    thisPortOnly,
    accounts: settingsOf(process.env),
    ownerLink: values['owner-link'],
    log: complain,
  })
  onEnd(() => control.stop())
  say(`control plane  ${control.url}`)
  say(`API key        ${join(folder, 'control/api-key')}`)
  if (control.ownerLink) say(`first owner    ${control.ownerLink}   (once, within a day)`)
  if (!/^(127\.|::1$|localhost$)/.test(values.host ?? '127.0.0.1'))
    say('warning        others can reach it, and read tokens and keys: put a TLS proxy before it')
  say('')
  say('A cluster, a join token, and a host that joins:')
  say(
    `  export HOLDFAST_URL=${control.url} HOLDFAST_API_KEY=$(cat ${values.state}/control/api-key)`,
  )
  say('  npx holdfast cluster create prod')
  say('  export HOLDFAST_CLUSTER=prod')
  say('  npx holdfast token create --uses 3')
  say(`  npx holdfast-probe join --url ${control.url}      # on each host; paste the token`)
  say('  npx holdfast-probe run')
  say('')
  say('Ctrl-C ends it; the next start goes on with its state.')
}

async function demo(): Promise<void> {
  say('starting the control plane and three hosts …')
  const begun = performance.now()
  const command = bundleCli()
  const d = await Demo.start({
    folder,
    port,
    thisPortOnly,
    profile: profileName.parse(values.profile),
    vm: !values['no-vm'],
    log: complain,
  })
  onEnd(async () => {
    process.stdout.write('\nstopping: every host releases its groups in order …\n')
    await d.stop()
    say('stopped. The next start goes on from here.')
  })
  if (d.control.port !== port) say(`port ${port} is taken: using ${d.control.port}`)
  await Promise.all([d.allUp(), command])
  await firstGroups(d)
  await d
    .until(
      'all groups are online',
      (v) =>
        v.groups.length > 0 &&
        v.groups.every((g) => ['online', 'offline', 'partialOnline'].includes(g.state)),
      90_000,
    )
    .catch((error: unknown) => complain('warn', String(error)))
  const seconds = ((performance.now() - begun) / 1_000).toFixed(1)
  const hints = await tryThis(d)
  if (process.stdout.isTTY && process.stdin.isTTY) {
    listenToKeys(d)
    await liveView(
      d,
      `${hints}\nKeys: 1, 2, 3 cut the power of a host, and boot it again; q quits.`,
    )
  } else {
    say(renderStatus(await d.view(), { ascii: false }))
    say(`up in ${seconds} s`)
    say(hints)
    await changes(d)
  }
}

/** Made once; later starts find them in the hive. */
async function firstGroups(d: Demo): Promise<void> {
  const known = new Set((await d.view()).groups.map((g) => g.name))
  if (!known.has('web')) {
    await d.addGroup('web')
    await d.addProcess('http', 'web', [program('web.ts'), String(await freePort(8080))])
  }
  if (!known.has('ledger')) {
    await d.addGroup('ledger')
    // Not the group's name: what is said of the one should not have to be told from the other.
    await d.addWitness('witness', 'ledger')
  }
  if (known.has('vm')) return
  if (d.vmMissing !== null) {
    say(`no group vm: ${d.vmMissing}`)
    return
  }
  await d.addGroup('vm')
  await d.addVm('guest', 'vm')
}

/** The wanted port, or any free one where something else has it. */
function freePort(wanted: number): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(freePort(0)))
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

async function tryThis(d: Demo): Promise<string> {
  const web = await d.group('web')
  const owner = web.owner ?? 'n1'
  const port = (web.resources[0]?.properties['args'] as string[] | undefined)?.[1] ?? '8080'
  const host = d.host(owner)
  const status = await host.status()
  const pid = status?.guard.records[0]?.process?.pid
  return [
    `control plane ${d.control.url}, cluster ${CLUSTER}. Try, in another terminal:`,
    `  curl http://127.0.0.1:${port}/              who serves it`,
    `  kill -9 ${pid ?? '<pid>'}                            a workload on ${owner}: restarted where it stands`,
    `  npx holdfast move web                    planned move`,
    `  npx holdfast status                      one screen; log and events tell why`,
    `  kill -9 -- $(pgrep -f hosts/${owner}/state)     all of ${owner}'s probe: brought back by its runner`,
    `  kill -STOP ${host.treePids().agent ?? '<agent>'}                          the agent of ${owner} falls silent: its groups come up elsewhere`,
    'Ctrl-C stops everything in order.',
  ].join('\n')
}

/** Keys of the live view: cut a host's power and boot it again, as nobody could with `kill`. */
function listenToKeys(d: Demo): void {
  const dead = new Set<string>()
  process.stdin.setRawMode(true)
  process.stdin.on('data', (data) => {
    const key = String(data)
    if (key === '\u0003' || key === 'q') process.kill(process.pid, 'SIGINT')
    const host = d.hosts[Number(key) - 1]
    if (!host) return
    if (dead.delete(host.name)) void host.boot()
    else {
      dead.add(host.name)
      host.powerCut()
    }
  })
}

/** Repaints when something changed, and once a second for the clock. */
async function liveView(d: Demo, hints: string): Promise<void> {
  for (;;) {
    const view = await d.view().catch(() => null)
    if (ending) return
    const width = Math.min(process.stdout.columns || 80, 100)
    const screen = view
      ? renderStatus(view, { color: true, width })
      : 'no answer from the control plane\n'
    process.stdout.write(`\u001b[H\u001b[2J${screen}\n${hints}\n`)
    await d
      .api('listEvents', {
        params: { cluster: CLUSTER },
        query: { after: view?.seq ?? 0, limit: 1, waitMs: 1_000 },
      })
      .catch(() => sleep(1_000))
  }
}

/** Without a terminal: one line per change. */
async function changes(d: Demo): Promise<void> {
  let after = (await d.view()).seq
  for (;;) {
    try {
      const page = await d.api('listEvents', {
        params: { cluster: CLUSTER },
        query: { after, waitMs: 10_000 },
      })
      if (ending) return
      for (const e of page.events) say(`${new Date(e.atMs).toISOString()}  ${e.message}`)
      after = page.next
    } catch (error) {
      if (ending) return
      complain('warn', String(error))
      await sleep(1_000)
    }
  }
}

function complain(level: string, message: string): void {
  if (level === 'error' || level === 'warn') process.stderr.write(`control plane: ${message}\n`)
}
