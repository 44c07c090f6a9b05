/** Resource type `ocf` with real executables: meta-data, parameters, exit codes, depths (S-23, S-43, S-44). */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runAction } from '../../probe/resources/action.ts'
import { createOcf } from '../../probe/resources/ocf.ts'
import { readMetaData } from '../../probe/resources/ocf-agent.ts'
import type { Call, ChildSpec, WorkloadExit } from '../../schema/resource-type.ts'
import { type OcfProperties, ocfProperties } from '../../schema/resource-types/ocf.ts'

const REAL = '/usr/lib/ocf/resource.d/heartbeat'

const META = `<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="Fake" version="1.0"><version>1.0</version>
<parameters>
<parameter name="exits" required="0"><content type="string" default="0"/></parameter>
<parameter name="must" required="1"><content type="string"/></parameter>
</parameters>
<actions>
<action name="start" timeout="7s"/><action name="stop" timeout="1min"/>
<action name="monitor" depth="0" timeout="300ms" interval="10s"/>
<action name="monitor" depth="10" timeout="200ms"/>
<action name="meta-data" timeout="5"/>
</actions></resource-agent>`

let root: string
let agents: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-ocf-'))
  agents = join(root, 'resource.d/test')
  mkdirSync(agents, { recursive: true })
  const agent = (name: string, body: string) => {
    writeFileSync(join(agents, name), `#!/bin/sh\n${body}\n`)
    chmodSync(join(agents, name), 0o755)
  }
  agent(
    'Fake',
    `env | grep ^OCF_ > ${root}/env; echo "$1" >> ${root}/calls
case $1 in
  meta-data) cat <<'END'
${META}
END
  exit 0 ;;
  monitor) [ "$OCF_RESKEY_exits" = hang ] && sleep 1000
    [ "$OCF_RESKEY_exits" = orphan ] && kill -9 $PPID
    echo "level $OCF_CHECK_LEVEL" >&2; exit "$OCF_RESKEY_exits" ;;
esac
exit 0`,
  )
  agent('Garbage', 'head -c 100000 /dev/urandom; exit 0')
  agent('Other', 'echo "<domain/>"; exit 0')
  agent('Mute', 'exit 3')
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

type TestCall = Call<OcfProperties> & { readonly specs: ChildSpec[]; stops: number }

/** The guard is faked: something is on record, or not; a start ends at once with `exit`. */
function callOf(
  properties: object,
  {
    runs = true,
    wanted = 1 as 0 | 1,
    exit = 0,
  }: { runs?: boolean; wanted?: 0 | 1; exit?: number } = {},
): TestCall {
  const main = { pid: 4_000_000, startTicks: 1 }
  const listeners = new Set<(exit: WorkloadExit) => void>()
  let process = runs ? main : null
  const call: TestCall = {
    ...{ guid: '00000000-0000-4000-8000-00000000000a', name: 'db' },
    ...{
      groupId: '00000000-0000-4000-8000-0000000000f1',
      epoch: 7,
      hiveSeq: 1,
      dependent: false,
      carry: null,
      resume: null,
      nodeName: 'n1',
    },
    persistentState: wanted,
    properties: ocfProperties.parse({ agent: 'ocf:test:Fake', ...properties }),
    signal: new AbortController().signal,
    ...{ progress: () => {}, log: () => {}, specs: [], stops: 0 },
    workload: {
      get process() {
        return process
      },
      async startChild(spec) {
        call.specs.push(spec)
        process = main
        setTimeout(() => {
          const left = exit === 0 ? { left: true as const } : {}
          for (const tell of listeners)
            tell({ code: exit, signal: null, process: main, output: 'words', ...left })
        }, 5)
        return main
      },
      permitGate: () => Promise.reject(new Error('not in this test')),
      signal: () => Promise.resolve(false),
      async stop() {
        call.stops += 1
        process = null
      },
      permitCopy: () => Promise.reject(new Error('not this way')),
      carried: () => Promise.reject(new Error('not this way')),
      onExit(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
  }
  return call
}

const moduleOf = (allowed = ['ocf:test:*']) => createOcf({ agents: allowed, root })
const alive = async (call: TestCall) => (await moduleOf().isAlive([call]))[0]
const must = (exits: number | string) => ({ parameters: { must: 'x', exits: String(exits) } })

describe('IsAlive: the exit code of monitor', () => {
  test.each([
    [0, 'online', undefined],
    [8, 'online', /exit code 8/],
    [190, 'online', /exit code 190/],
    [191, 'online', /exit code 191/],
    [7, 'offline', /not running/],
    [1, 'failed', /generic error.*level 0/],
    [2, 'failed', /wrong parameters/],
    [3, 'failed', /not implemented/],
    [4, 'failed', /no permission/],
    [5, 'failed', /not installed/],
    [6, 'failed', /not configured/],
    [9, 'failed', /promoted role/],
    ['hang', 'failed', /no end in its time/],
    // S-32: what runs it was ended, so nothing is known of it.
    ['orphan', 'unknown', /shell that runs it was ended/],
  ] as const)('%s: %s', async (code, status, detail) => {
    const answer = await alive(callOf(must(code)))
    expect(answer?.status).toBe(status)
    if (detail) expect(answer?.detail).toMatch(detail)
    else expect(answer?.detail).toBeUndefined()
  })

  test('S-73: runs unwanted: online. Wanted, and not on record: its Online has to put it there', async () => {
    expect((await alive(callOf(must(0), { runs: false, wanted: 0 })))?.status).toBe('online')
    const found = await alive(callOf(must(0), { runs: false }))
    expect(found).toMatchObject({ status: 'offline', detail: expect.stringMatching(/taken over/) })
    expect((await alive(callOf(must(1), { runs: false })))?.status).toBe('offline')
  })

  test('LooksAlive asks the deepest monitor there is, or the depth that is set', async () => {
    const look = async (more: object) =>
      (await moduleOf().looksAlive([callOf({ ...must(1), ...more })]))[0]?.detail
    expect(await look({})).toMatch(/level 10/)
    expect(await look({ depth: 0 })).toMatch(/level 0/)
  })
})

describe('what is refused, and how', () => {
  test.each([
    [{ parameters: { must: 'x', port: '1' } }, /no parameter port; it has: exits, must/],
    [{ parameters: {} }, /parameter must is missing/],
    [{ agent: 'ocf:test:Missing' }, /not on this host/],
    [{ agent: 'ocf:other:Fake' }, /policy does not allow/],
    [{ agent: 'ocf:test:Garbage' }, /meta-data is not/],
    [{ agent: 'ocf:test:Other' }, /not that of an OCF agent/],
    [{ agent: 'ocf:test:Mute' }, /meta-data: exit code 3/],
  ])('%o', async (properties, problem) => {
    await expect(moduleOf().open?.(callOf(properties))).rejects.toThrow(problem)
  })

  test.each(['ocf:Fake', 'lsb:x', 'ocf:../x:y', 'ocf:a:../b', 'ocf:a:b/c', 'ocf:a:.'])(
    '%s is no agent',
    (agent) => {
      expect(ocfProperties.safeParse({ agent }).success).toBe(false)
    },
  )
})

describe('Online and Offline', () => {
  test('G3, G5: the guard starts it, with stop on record, each with its own time', async () => {
    const call = callOf({ parameters: { must: "a b'c" } }, { runs: false })
    await moduleOf().online?.(call)
    const [spec] = call.specs
    const command = join(agents, 'Fake')
    expect(spec).toMatchObject({ command, args: ['start'], daemon: true })
    expect(spec?.undo).toMatchObject({
      kind: 'command',
      command,
      args: ['stop'],
      timeoutMs: 60_000,
    })
    expect(spec?.env).toMatchObject({
      OCF_ROOT: root,
      OCF_RESOURCE_INSTANCE: call.guid,
      OCF_RESKEY_must: "a b'c",
      OCF_RESKEY_CRM_meta_timeout: '7000',
      HOLDFAST_EPOCH: '7',
    })
  })

  test('a start that fails is cleared away, and says why', async () => {
    const call = callOf(must(0), { runs: false, exit: 5 })
    await expect(moduleOf().online?.(call)).rejects.toThrow(
      /start: exit code 5 .*not installed.*words/,
    )
    expect(call.stops).toBe(1)
  })

  test('S-39: what is online already is left alone; what is on record and dead is ended first', async () => {
    const well = callOf(must(0))
    await moduleOf().online?.(well)
    expect([well.specs.length, well.stops]).toEqual([0, 0])
    const dead = callOf(must(7))
    await moduleOf().online?.(dead)
    expect([dead.specs.length, dead.stops]).toEqual([1, 1])
  })

  test('Offline: the agent’s own stop first, then the guard', async () => {
    rmSync(join(root, 'calls'), { force: true })
    const call = callOf(must(0))
    await moduleOf().offline?.(call)
    expect(readFileSync(join(root, 'calls'), 'utf8')).toMatch(/stop\n$/)
    expect(call.stops).toBe(1)
  })
})

const real = existsSync(REAL) ? readdirSync(REAL).filter((name) => !name.startsWith('.')) : []
const missing = real.length === 0 ? 'resource-agents is not installed' : null
if (missing !== null) process.stderr.write(`skipped: real OCF agents: ${missing}\n`)

test.skipIf(missing !== null)(
  'every agent of the package resource-agents says what it is',
  async () => {
    const problems: string[] = []
    const texts = await Promise.all(
      real.map(async (name) => {
        const end = await runAction({
          ...{ command: join(REAL, name), args: ['meta-data'], timeoutMs: 30_000 },
          env: { PATH: process.env['PATH'] ?? '', OCF_ROOT: '/usr/lib/ocf' },
          ...{ signal: new AbortController().signal, stdoutBytes: 1024 * 1024 },
        })
        return [name, end] as const
      }),
    )
    for (const [name, end] of texts)
      try {
        // Some need what is not installed even to say who they are.
        if (end.code === 0) readMetaData(end.stdout)
      } catch (error) {
        problems.push(`${name}: ${error}`)
      }
    expect(problems).toEqual([])
    expect(texts.filter(([, end]) => end.code === 0).length).toBeGreaterThan(100)
  },
  120_000,
)
