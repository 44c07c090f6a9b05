import { runTool } from './tool.ts'

const DEADLINE_MS = 5_000

/**
 * A5: has the kernel run all threads of this process before everything of normal priority, so that a busy
 * host keeps it neither from ending a lease in time nor, when the host has stood still, from ending what ran
 * too long. What it starts is of normal priority again.
 *
 * @returns why it is not to be had (no right to it, no `chrt`), or null
 * @see sched(7), SCHED_RR and SCHED_RESET_ON_FORK
 */
export async function takeRealTime(): Promise<string | null> {
  const words = ['--all-tasks', '--reset-on-fork', '--rr', '--pid', '1', String(process.pid)]
  try {
    const { code, stderr } = await runTool('chrt', words, DEADLINE_MS)
    return code === 0 ? null : stderr.trim() || `chrt ended with ${code}`
  } catch (error) {
    return (error as Error).message
  }
}
