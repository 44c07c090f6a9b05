/** G5: what a script hands over, past the guard's kill group, on real hosts: never on two of them. */
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { identityOf } from '../../probe/gate/proc.ts'
import { endDemo, eventually, startDemo } from './demo.ts'

/** Its parameter `mount` is where cgroups are: it leaves as pam_systemd and the service manager do. */
const TEXT = `#!/bin/sh
dir=$HOLDFAST_PROP_folder; mine=$dir/$HOLDFAST_NODE; mkdir -p $mine
echo $1 >> $mine/calls
case $1 in
  online)
    setsid env -i sh -c 'echo $$ > '$HOLDFAST_PROP_mount'/cgroup.procs; echo $$ > '$mine'/pid; exec sleep 1000' </dev/null >/dev/null 2>&1 &
    while [ ! -s $mine/pid ]; do sleep 0.01; done
    exit 0 ;;
  offline)
    [ -e $dir/stubborn ] && exit 0
    kill -9 $(cat $mine/pid); rm -f $mine/pid; exit 0 ;;
  isAlive) [ -s $mine/pid ] && kill -0 $(cat $mine/pid) && exit 0; exit 7 ;;
esac
exit 3
`

const mount = readFileSync('/proc/self/mounts', 'utf8')
  .split('\n')
  .map((line) => line.split(' '))
  .find((fields) => fields[2] === 'cgroup2')?.[1]
const usable = mount !== undefined && process.getuid?.() === 0

const folder = mkdtempSync(join(tmpdir(), 'holdfast-past-'))
const command = join(folder, 'unit.sh')
let demo: Demo
beforeAll(async () => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(command, TEXT)
  chmodSync(command, 0o755)
  demo = await startDemo({
    hosts: ['n1', 'n2'],
    profile: 'standard',
    policy: { script: { commands: [`${folder}/*`] } },
  })
})
afterAll(async () => {
  for (const node of ['n1', 'n2']) {
    const pid = pidOn(node)
    if (pid !== null) process.kill(pid, 'SIGKILL')
  }
  await endDemo(demo)
  rmSync(folder, { recursive: true, force: true })
})

function pidOn(node: string): number | null {
  try {
    const pid = Number(readFileSync(join(folder, node, 'pid'), 'utf8').trim())
    return pid > 1 && identityOf(pid) ? pid : null
  } catch {
    return null
  }
}
const calls = (node: string) => {
  const path = join(folder, node, 'calls')
  return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : []
}

/** Needs root and cgroup v2: without them nothing can leave the kill group. */
test.skipIf(!usable)(
  'what online hands over is ended before the failure leads anywhere',
  async () => {
    writeFileSync(join(folder, 'stubborn'), '')
    await demo.addGroup('unit')
    await demo.api('createResource', {
      params: { cluster: CLUSTER },
      body: {
        ...{ name: 'unit', group: 'unit', type: 'script', restart: { attempts: 0 } },
        properties: { command, parameters: { folder, mount: mount ?? '' } },
      },
    })
    await demo.api('onlineGroup', { params: { cluster: CLUSTER, group: 'unit' } })
    const first = await eventually('it runs on a node', () =>
      ['n1', 'n2'].find((node) => pidOn(node) !== null),
    )
    const other = first === 'n1' ? 'n2' : 'n1'
    // Its own offline does not end it: it is not failed, and not released either.
    await eventually(
      'its own offline was called twice',
      () => calls(first).filter((action) => action === 'offline').length >= 2 || null,
    )
    await sleep(1_000)
    expect([pidOn(first) !== null, calls(other)]).toEqual([true, []])
    expect((await demo.group('unit')).owner).toBe(first)
    await demo.api('moveGroup', {
      params: { cluster: CLUSTER, group: 'unit' },
      body: { to: other },
    })
    await sleep(3_000)
    expect([pidOn(first) !== null, calls(other)]).toEqual([true, []])
    rmSync(join(folder, 'stubborn'))
    await eventually(
      'it has gone to the other',
      () => calls(other).includes('online') || null,
      30_000,
    )
    expect(pidOn(first)).toBeNull()
  },
)
