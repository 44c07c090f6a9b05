import type { Undo } from '../../../schema/undo.ts'
import type { KillHandles } from '../cgroup.ts'
import type { Launchers } from '../launchers.ts'

interface Parts {
  readonly launchers: Launchers
  readonly handles: KillHandles
  readonly log: string
}

/**
 * In a kill group of its own, all of which is killed at the deadline and when it has ended: what it
 * leaves running would be nobody's.
 *
 * @returns whether it says that nothing is left
 */
export function runCommand(
  undo: Extract<Undo, { kind: 'command' }>,
  { launchers, handles, log }: Parts,
): Promise<boolean> {
  const { command, args, env, timeoutMs } = undo
  const { child, group } = launchers.launch({ command, args, env }, log)
  return new Promise((resolve) => {
    const timer = setTimeout(() => handles.killAll(group), timeoutMs)
    child.once('exit', (code) => {
      clearTimeout(timer)
      handles.killAll(group)
      setImmediate(() => handles.remove(group))
      resolve(code === 0)
    })
  })
}
