import type { Call, ChildSpec, WorkloadExit } from '../../schema/resource-type.ts'

/** How the command of a start has ended. */
export interface StartEnd {
  /** Null: by a signal, or not in its time. */
  readonly code: number | null
  readonly timedOut: boolean
  /** The end of what it has written. */
  readonly output: string
  /** The workload that it has begun goes on. */
  readonly left: boolean
}

/**
 * Has the guard start a command that begins something and ends, and waits for that end.
 *
 * @throws {Error} the guard has refused the start
 */
export async function startAndWait(
  call: Pick<Call, 'workload' | 'signal'>,
  timeoutMs: number,
  spec: ChildSpec,
): Promise<StartEnd> {
  const exits: WorkloadExit[] = []
  let wake = () => {}
  const stopListening = call.workload.onExit((exit) => {
    exits.push(exit)
    wake()
  })
  const over = AbortSignal.any([AbortSignal.timeout(timeoutMs), call.signal])
  over.addEventListener('abort', () => wake())
  try {
    const { pid, startTicks } = await call.workload.startChild(spec)
    for (;;) {
      // The exit of an earlier start may come late.
      const own = exits.filter((e) => e.process?.pid === pid && e.process.startTicks === startTicks)
      const [exit] = own
      if (exit)
        return {
          code: exit.code,
          timedOut: false,
          output: exit.output ?? '',
          left: exit.left === true && own.length === 1,
        }
      if (over.aborted) return { code: null, timedOut: true, output: '', left: true }
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  } finally {
    stopListening()
  }
}
