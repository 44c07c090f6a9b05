import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Replaces a file whole, readable by its owner alone. After a crash or a power cut it is the old one
 * or the new one, never half of one; when this returns it is the new one, on the disk.
 */
export function writeDurably(path: string, text: string | Uint8Array): void {
  const fresh = `${path}.new`
  // What an earlier try left may have another mode or owner.
  rmSync(fresh, { force: true })
  synced(fresh, 'wx', (fd) => writeFileSync(fd, text))
  renameSync(fresh, path)
  synced(dirname(path), 'r')
}

/** Removes a file for good: it does not come back with a power cut. @returns whether there was one */
export function removeDurably(path: string): boolean {
  try {
    rmSync(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
  synced(dirname(path), 'r')
  return true
}

function synced(path: string, flags: string, work: (fd: number) => unknown = () => {}): void {
  const fd = openSync(path, flags, 0o600)
  try {
    work(fd)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
