/** An operator's script for tests: `online` daemonises, so nothing but its kill group holds it. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { type Identity, identityOf } from '../../probe/gate/proc.ts'

const TEXT = `#!/bin/sh
dir=$HOLDFAST_PROP_folder
echo "$1 epoch=$HOLDFAST_EPOCH wanted=$HOLDFAST_PERSISTENT_STATE node=$HOLDFAST_NODE" >> $dir/calls
case $1 in
  online|retry)
    if [ -f $dir/broken ]; then echo "the disk is full"; exit 1; fi
    rm -f $dir/sick
    setsid sh -c 'echo $$ > '$dir'/pid; exec sleep 1000' </dev/null >/dev/null 2>&1 &
    while [ ! -s $dir/pid ]; do sleep 0.01; done
    exit 0 ;;
  offline) kill $(cat $dir/pid); rm -f $dir/pid; exit 0 ;;
  isAlive)
    if [ -f $dir/hangs ]; then sleep 1000; fi
    if [ -f $dir/sick ]; then exit 7; fi
    if [ -s $dir/pid ] && kill -0 $(cat $dir/pid); then exit 0; fi
    exit 7 ;;
esac
exit 3
`

export interface DaemonScript {
  readonly folder: string
  readonly command: string
  /** The daemon that the script has left running, or null. */
  daemon(): Identity | null
  calls(): string[]
  set(flag: 'broken' | 'sick' | 'hangs'): void
}

/** In its own folder below the demo's, which `SCRIPTS` of the policy allows. */
export function daemonScript(base: string, name: string): DaemonScript {
  const folder = join(base, name)
  mkdirSync(folder, { recursive: true })
  const command = join(folder, 'daemon.sh')
  writeFileSync(command, TEXT)
  chmodSync(command, 0o755)
  const read = (file: string) => {
    try {
      return readFileSync(join(folder, file), 'utf8')
    } catch {
      return ''
    }
  }
  return {
    folder,
    command,
    daemon: () => identityOf(Number(read('pid').trim() || Number.NaN)),
    calls: () => read('calls').split('\n').filter(Boolean),
    set: (flag) => writeFileSync(join(folder, flag), ''),
  }
}

export async function addScript(
  demo: Demo,
  name: string,
  group: string,
  script: DaemonScript,
  more: object = {},
  properties: object = {},
): Promise<void> {
  await demo.api('createResource', {
    params: { cluster: CLUSTER },
    body: {
      name,
      group,
      type: 'script',
      properties: {
        command: script.command,
        parameters: { folder: script.folder },
        ...properties,
      },
      ...more,
    },
  })
}
