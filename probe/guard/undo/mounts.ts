/** Ends what holds a mount, and the mount. */
import { closeSync, constants, openSync, statSync } from 'node:fs'
import { isGone } from '../../gate/proc.ts'
import { killPid } from '../../os/marks.ts'
import { holders, type Mount, mountsAt } from '../../os/mounts.ts'
import { runTool } from '../../os/tool.ts'

const TIMEOUT_MS = 5_000

/**
 * @returns whether it is gone. Of a block device that is seen in every mount namespace: the kernel
 *   lets nobody else have it while it is mounted anywhere.
 */
export async function unmount(target: string): Promise<boolean> {
  const mounted = mountsAt(target)
  if (mounted.length === 0) return true
  await runTool('umount', [target], TIMEOUT_MS)
  if (mountsAt(target).length > 0) {
    for (const { pid } of holders(target)) killPid(pid)
    await runTool('umount', [target], TIMEOUT_MS)
  }
  return mountsAt(target).length === 0 && !mounted.some(isInUse)
}

function isInUse({ source }: Mount): boolean {
  try {
    if (!statSync(source).isBlockDevice()) return false
    closeSync(openSync(source, constants.O_RDONLY | constants.O_EXCL))
    return false
  } catch (error) {
    if (isGone(error)) return false
    return true
  }
}
