/** Resource type `script`: what exit codes and answers of a real executable mean (S-23, S-33). */
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { identityOf } from '../../probe/gate/proc.ts'
import { forbids } from '../../probe/guard/policy.ts'
import { runAction } from '../../probe/resources/action.ts'
import { createScript } from '../../probe/resources/script.ts'
import { type Call, NotImplemented } from '../../schema/resource-type.ts'
import {
  SCRIPT_ACTIONS,
  type ScriptProperties,
  scriptProperties,
} from '../../schema/resource-types/script.ts'

let folder: string
let command: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-script-'))
  command = join(folder, 'script.sh')
  // Says what it was given, then ends as the parameter of its action says.
  writeFileSync(
    command,
    `#!/bin/sh
env | grep ^HOLDFAST_ > ${folder}/env
echo "first line"; echo "the last words" >&2
eval "how=\\$HOLDFAST_PROP_$1"
[ "$how" = hang ] && { sleep 1000 & echo $! > ${folder}/child; sleep 1000; }
[ "$how" = leave ] && { sleep 1000 & echo $! > ${folder}/child; exit 0; }
[ "$how" = daemon ] && {
  rm -f ${folder}/child
  setsid sh -c 'echo $$ > ${folder}/new; mv ${folder}/new ${folder}/child; exec sleep 1000' </dev/null >/dev/null 2>&1 &
  while [ ! -s ${folder}/child ]; do sleep 0.01; done; exit 0
}
[ "$how" = orphan ] && { kill -9 $PPID; sleep 1000; }
[ "$how" = talk ] && { yes | head -c 5000000; exit 1; }
exit \${how:-0}
`,
  )
  chmodSync(command, 0o755)
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const policy = () => ({ commands: [`${folder}/*`] })

/** What a script can get of the guard is faked: a daemon that lives, or none. */
function callOf(
  parameters: Record<string, string>,
  over: Partial<ScriptProperties> = {},
  more: { runs?: boolean; persistentState?: 0 | 1 } = {},
): Call<ScriptProperties> & { stops: number } {
  const call = {
    guid: '00000000-0000-4000-8000-00000000000a',
    name: 'db',
    groupId: '00000000-0000-4000-8000-0000000000f1',
    epoch: 7,
    persistentState: more.persistentState ?? 1,
    hiveSeq: 1,
    dependent: false,
    carry: null,
    resume: null,
    nodeName: 'n1',
    properties: scriptProperties.parse({
      ...{ command, parameters, actions: SCRIPT_ACTIONS, timeouts: { checkMs: 300 } },
      ...over,
    }),
    signal: new AbortController().signal,
    progress: () => {},
    log: () => {},
    stops: 0,
    workload: {
      process: more.runs === false ? null : { pid: 4_000_000, startTicks: 1 },
      startChild: () => Promise.reject(new Error('not in this test')),
      permitGate: () => Promise.reject(new Error('not in this test')),
      signal: () => Promise.resolve(false),
      stop: async () => {
        call.stops += 1
      },
      permitCopy: () => Promise.reject(new Error('not this way')),
      carried: () => Promise.reject(new Error('not this way')),
      onExit: () => () => {},
    },
  }
  return call
}

const alive = async (call: Call<ScriptProperties>) =>
  (await createScript(policy()).isAlive([call]))[0]

describe('IsAlive: the exit code, and what the guard sees', () => {
  test.each([
    ['0', 'online'],
    ['7', 'offline'],
    ['3', 'online'],
    ['5', 'unknown'],
    ['1', 'failed'],
    ['126', 'failed'],
  ])('exit code %s while it runs: %s', async (code, status) => {
    expect(await alive(callOf({ isAlive: code }))).toMatchObject({ status })
  })

  test('a failure says the last lines', async () => {
    const { detail } = (await alive(callOf({ isAlive: '1' }))) ?? {}
    expect(detail).toMatch(/exit code 1: .*the last words/)
  })

  test('nothing runs: offline, whatever fails; without isAlive the guard alone says', async () => {
    for (const code of ['7', '1', '3'])
      expect(await alive(callOf({ isAlive: code }, {}, { runs: false }))).toMatchObject({
        status: 'offline',
      })
    const without = { actions: ['online' as const] }
    expect(await alive(callOf({ isAlive: '1' }, without))).toMatchObject({ status: 'online' })
    expect(await alive(callOf({ isAlive: '0' }, without, { runs: false }))).toMatchObject({
      status: 'offline',
    })
  })

  test('G1, S-73: what runs past the guard is reported while unwanted, and never counts as online', async () => {
    const unwanted = callOf({ isAlive: '0' }, {}, { runs: false, persistentState: 0 })
    expect(await alive(unwanted)).toMatchObject({ status: 'online' })
    // Its own `offline` says done, and it runs on: failed would have it started a second time.
    const wanted = callOf({ isAlive: '0' }, {}, { runs: false })
    expect(await alive(wanted)).toMatchObject({
      status: 'unknown',
      detail: expect.stringMatching(/not by this host/),
    })
  })
})

describe('bounds of a call', () => {
  test('one that hangs is killed at its deadline, with what it has started', async () => {
    const at = performance.now()
    expect(await alive(callOf({ isAlive: 'hang' }))).toMatchObject({
      status: 'failed',
      detail: expect.stringMatching(/no end in its time/),
    })
    expect(performance.now() - at).toBeLessThan(2_000)
    const child = Number(readFileSync(join(folder, 'child'), 'utf8'))
    await sleep(50)
    expect(identityOf(child)).toBeNull()
  })

  test('G2: what a check leaves behind is no workload, and does not outlive it', async () => {
    expect(await alive(callOf({ isAlive: 'leave' }))).toMatchObject({ status: 'online' })
    const child = Number(readFileSync(join(folder, 'child'), 'utf8'))
    await sleep(50)
    expect(identityOf(child)).toBeNull()
  })

  test.each(['cgroup', 'mark'])('G2: by %s, a daemon of a check goes with it', async (kind) => {
    if (kind === 'mark') process.env['HOLDFAST_NO_CGROUP'] = '1'
    try {
      const call = callOf({ isAlive: 'daemon' })
      expect(await alive(call)).toMatchObject({ status: 'online' })
      const child = Number(readFileSync(join(folder, 'child'), 'utf8'))
      expect(child).toBeGreaterThan(1)
      expect(identityOf(child)).toBeNull()
    } finally {
      delete process.env['HOLDFAST_NO_CGROUP']
    }
  })

  test('S-32: when what runs it was ended, nothing is known, and it is ended too', async () => {
    const detail = expect.stringMatching(/shell that runs it was ended/)
    const answer = await alive(callOf({ isAlive: 'orphan' }))
    expect(answer).toMatchObject({ status: 'unknown', detail })
    expect(await alive(callOf({ isAlive: '0' }))).toMatchObject({ status: 'online' })
  })

  test('what cannot be called says so', async () => {
    const call = callOf({}, { command: join(folder, 'missing') })
    expect(await alive(call)).toMatchObject({ detail: expect.stringMatching(/cannot be called/) })
  })

  test('arguments arrive as they are, and it runs as the user that it is given', async () => {
    const words = ['a b', '$HOME', '', "it's", '*']
    const end = await runAction({
      command: '/bin/sh',
      args: ['-c', 'printf "%s|" "$@"; id -u', 'sh', ...words],
      ...{ env: { PATH: '/usr/bin:/bin' }, timeoutMs: 5_000, signal: new AbortController().signal },
      ...(process.getuid?.() === 0 && { uid: 65_534, gid: 65_534 }),
    })
    const uid = process.getuid?.() === 0 ? 65_534 : process.getuid?.()
    expect(end.output).toBe(`${words.join('|')}|${uid}\n`)
  })

  test('output is kept from its end, and no more of it than that', async () => {
    const { output } = await runAction({
      ...{ command, args: ['isAlive'], timeoutMs: 5_000, signal: new AbortController().signal },
      env: { PATH: '/usr/bin:/bin', HOLDFAST_PROP_isAlive: 'talk' },
    })
    expect(output.length).toBeGreaterThan(1_000)
    expect(output.length).toBeLessThanOrEqual(16 * 1024)
  })
})

test('every HOLDFAST_ variable is there', async () => {
  await alive(callOf({ isAlive: '0', port: '5432' }))
  const env = readFileSync(join(folder, 'env'), 'utf8').split('\n').filter(Boolean).sort()
  expect(env).toEqual([
    'HOLDFAST_ACTION=isAlive',
    'HOLDFAST_EPOCH=7',
    'HOLDFAST_GROUP=00000000-0000-4000-8000-0000000000f1',
    'HOLDFAST_GUID=00000000-0000-4000-8000-00000000000a',
    'HOLDFAST_NAME=db',
    'HOLDFAST_NODE=n1',
    'HOLDFAST_PERSISTENT_STATE=1',
    'HOLDFAST_PROP_isAlive=0',
    'HOLDFAST_PROP_port=5432',
    'HOLDFAST_RESOURCE=db',
  ])
})

describe('stopping', () => {
  const module = () => createScript(policy())

  test('S-40: done and "not running" both lead to the guard’s stop; a failure does not hide', async () => {
    for (const code of ['0', '7']) {
      const call = callOf({ offline: code })
      await module().offline?.(call)
      expect(call.stops).toBe(1)
    }
    await expect(module().offline?.(callOf({ offline: '1' }))).rejects.toThrow('the last words')
  })

  test('S-33: exit code 3, or an action that it does not have: not implemented', async () => {
    const three = callOf({ offline: '3' })
    await expect(module().offline?.(three)).rejects.toBeInstanceOf(NotImplemented)
    expect(three.stops).toBe(0)
    const lacking = callOf({}, { actions: ['online'] })
    for (const fn of ['offline', 'retry', 'open', 'close'] as const)
      await expect(module()[fn]?.(lacking)).rejects.toBeInstanceOf(NotImplemented)
  })

  test('S-41: terminate kills, whatever the script says', async () => {
    const call = callOf({ terminate: '1' })
    await module().terminate?.(call)
    expect(call.stops).toBe(1)
  })
})

describe('host policy', () => {
  const none = { args: [], env: {} }

  test('the section of the type counts, and a path that leads out of a folder does not', () => {
    const both = { script: { commands: ['/opt/ha/*'] }, process: { commands: ['/bin/sleep'] } }
    const ask = (type: string, path: string) => forbids(both, type, { ...none, command: path })
    expect(ask('script', '/opt/ha/db')).toBeNull()
    expect(ask('process', '/bin/sleep')).toBeNull()
    expect(ask('process', '/opt/ha/db')).toMatch(/does not allow/)
    expect(ask('script', '/bin/sleep')).toMatch(/does not allow/)
    expect(ask('script', '/opt/ha/../../bin/sh')).toMatch(/does not allow/)
    expect(ask('ocf', '/opt/ha/db')).toMatch(/does not allow/)
  })

  test('another user only where the policy names that one', () => {
    const as = (uid: number, users?: string[]) =>
      forbids({ script: { commands: ['*'], ...(users && { users }) } }, 'script', {
        ...{ ...none, command: '/bin/true', uid },
      })
    expect(as(65_534)).toMatch(/another user/)
    expect(as(65_534, ['daemon'])).toMatch(/another user/)
    expect(as(65_534, ['nobody'])).toBeNull()
  })

  test('a check is held to it as a start is', async () => {
    const elsewhere = createScript({ commands: ['/opt/*'] })
    const [answer] = await elsewhere.isAlive([callOf({ isAlive: '0' })])
    expect(answer).toMatchObject({ status: 'failed', detail: expect.stringMatching(/hostPolicy/) })
  })
})
