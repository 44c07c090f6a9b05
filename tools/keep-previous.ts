/**
 * `npm run keep-previous`: the Worker and the probe as they are now become "the version before", against which
 * test/e2e/previous.test.ts tries every later one. Run it when a release is made, and commit what it writes.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { PROTOCOL } from '../schema/session.ts'
import { bundleWorker } from './bundle.ts'
import { bundleProbe } from './bundle-probe.ts'

const TO = new URL('../test/previous/', import.meta.url).pathname

const folder = mkdtempSync(join(tmpdir(), 'holdfast-previous-'))
try {
  mkdirSync(TO, { recursive: true })
  const probe = Object.values(await bundleProbe(folder))
  for (const path of probe) keep(basename(path), readFileSync(path, 'utf8'))
  keep('worker.js', await bundleWorker())
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  const about = { version, protocol: PROTOCOL, keptOn: new Date().toISOString().slice(0, 10) }
  writeFileSync(join(TO, 'about.json'), `${JSON.stringify(about, null, 2)}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function keep(name: string, text: string): void {
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24 }
  writeFileSync(join(TO, `${name}.br`), brotliCompressSync(text, { params }))
}
