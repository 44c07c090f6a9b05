/** A demo cluster for one test file, in a folder of its own that goes with it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Demo, type DemoOptions, pollMs } from '../../demo/cluster.ts'
import { PROFILES } from '../../schema/timing.ts'

/** Of profile `standard`: what was not adopted is stopped by then. */
export const LONGER_THAN_LEASE_MS = PROFILES.standard.ttlMs + 500

export async function startDemo(options: Partial<DemoOptions> = {}): Promise<Demo> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  const demo = await Demo.start({ port: 0, profile: 'fast', vm: false, ...options, folder })
  await demo.allUp()
  return demo
}

export async function endDemo(demo: Demo | undefined): Promise<void> {
  if (!demo) return
  await demo.kill()
  rmSync(demo.folder, { recursive: true, force: true })
}

/** Starts of the witness so far, oldest first. */
export const starts = (demo: Demo, name = 'ledger') =>
  demo.ledger(name).filter((line) => line.what === 'start')

export async function eventually<T>(what: string, look: () => T | Promise<T>, timeoutMs = 10_000) {
  const begun = performance.now()
  for (;;) {
    const found = await look()
    if (found) return found
    const waitedMs = performance.now() - begun
    if (waitedMs > timeoutMs) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, pollMs(waitedMs)))
  }
}
