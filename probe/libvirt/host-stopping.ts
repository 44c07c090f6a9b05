import { execFile } from 'node:child_process'

const ANSWER_MS = 2_000

/** Whether this host is going down: what stops then was not stopped on purpose. */
export function hostIsStopping(): Promise<boolean> {
  return new Promise((resolve) => {
    // Its exit status is not zero in most states; a host without systemd says nothing.
    execFile('systemctl', ['is-system-running'], { timeout: ANSWER_MS }, (_error, stdout) =>
      resolve(stdout.trim() === 'stopping'),
    )
  })
}
