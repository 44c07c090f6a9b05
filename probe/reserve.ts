/**
 * File descriptors kept for when there are none left. What ends something, or proves that it has
 * ended, reads and writes files under /proc and /sys: it must not fail because a host has run out.
 */
import { closeSync, openSync } from 'node:fs'

const KEPT = 4
const spares: number[] = []

/** Takes the reserve; called once by a process that must not fail for want of a descriptor. */
export function holdReserve(): void {
  while (spares.length < KEPT) spares.push(openSync('/dev/null', 'r'))
}

/** Does the work, with descriptors of the reserve if no others can be had. */
export function withReserve<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (spares.length === 0 || !isOutOfFiles(error)) throw error
  }
  for (const fd of spares.splice(0)) closeSync(fd)
  try {
    return work()
  } finally {
    refill()
  }
}

export function isOutOfFiles(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'EMFILE' || code === 'ENFILE'
}

function refill(): void {
  try {
    holdReserve()
  } catch {
    // Somebody else was quicker: what there is is kept.
  }
}
