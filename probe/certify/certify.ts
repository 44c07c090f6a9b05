/** Has a module file tried in a process of its own, which may hang, end or grow as it likes. */
import { fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ModuleManifest } from '../../schema/module-manifest.ts'
import { killHandles } from '../guard/cgroup.ts'
import type { Word } from './in-child.ts'
import type { Verdict } from './trial.ts'

/** The same limit that a resource monitor has. */
const HEAP_MB = 192
/** What a check may take beyond the calls that it makes. */
const CHECK_MORE_MS = 3_000
/** Until it is loaded: a process has to be started for it, which takes seconds on a busy host. */
const LOAD_MS = 10_000

export interface Certificate {
  readonly manifest: ModuleManifest
  readonly sha256: string
  readonly certified: boolean
  readonly checks: readonly Verdict[]
  /** What it has had the guard start: the host policy has to allow these. */
  readonly commands: readonly string[]
}

export interface CertifyOptions {
  readonly file: string
  /** How long one call may take. 0: the file is loaded, and not tried. */
  readonly timeoutMs: number
  readonly log?: (message: string) => void
}

/** @returns what came of it, or why it could not even be loaded */
export async function certify(options: CertifyOptions): Promise<Certificate | { why: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-certify-'))
  const owner = randomUUID()
  try {
    return await new Trials(options, folder, owner).result
  } finally {
    // Whatever the module has left running, and wherever its process has ended.
    killHandles(owner).end()
    rmSync(folder, { recursive: true, force: true })
  }
}

class Trials {
  readonly result: Promise<Certificate | { why: string }>
  readonly #checks: Verdict[] = []
  readonly #commands = new Set<string>()
  readonly #patienceMs: number
  readonly #log: (message: string) => void
  #loaded: Extract<Word, { t: 'loaded' }> | null = null
  #why: string | null = null
  #over = false
  #underWay: { id: string; title: string } | null = null
  #timer: NodeJS.Timeout | undefined
  #hung = false

  constructor(options: CertifyOptions, folder: string, owner: string) {
    // A check makes a few calls; one of them overruns before the check does.
    this.#patienceMs = options.timeoutMs * 2 + CHECK_MORE_MS
    this.#log = options.log ?? (() => {})
    const script = process.argv[1] as string
    const words = ['module', 'try', options.file, folder, owner, String(options.timeoutMs)]
    const child = fork(script, words, {
      execArgv: [`--max-old-space-size=${HEAP_MB}`],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-2_000)
    })
    const wait = () => {
      clearTimeout(this.#timer)
      this.#timer = setTimeout(() => {
        this.#hung = true
        child.kill('SIGKILL')
      }, this.#waitsMs)
    }
    wait()
    child.on('message', (word: Word) => {
      wait()
      this.#hear(word)
    })
    this.result = new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code, signal) => {
        clearTimeout(this.#timer)
        resolve(this.#end(signal ?? `exit code ${code}`, lastLine(said)))
      })
    })
  }

  get #waitsMs(): number {
    return this.#loaded ? this.#patienceMs : Math.max(this.#patienceMs, LOAD_MS)
  }

  #hear(word: Word): void {
    switch (word.t) {
      case 'loaded':
        this.#loaded = word
        break
      case 'unusable':
        this.#why = word.why
        break
      case 'begins':
        this.#underWay = word
        break
      case 'ended':
        this.#underWay = null
        this.#checks.push(word.verdict)
        break
      case 'starts':
        this.#commands.add(word.command)
        break
      case 'log':
        this.#log(word.message)
        break
      case 'over':
        this.#over = true
        break
    }
  }

  #end(how: string, said: string): Certificate | { why: string } {
    if (this.#why !== null) return { why: this.#why }
    const end = this.#hung
      ? `it keeps its process busy or waiting: nothing for ${this.#waitsMs} ms, then killed`
      : `its process has ended (${how})${said && `: ${said}`}`
    if (!this.#loaded) return { why: end }
    if (this.#underWay) this.#checks.push({ ...this.#underWay, verdict: 'broken', detail: end })
    const { manifest, sha256 } = this.#loaded
    const certified = this.#over && this.#checks.every((check) => check.verdict !== 'broken')
    const commands = [...this.#commands].sort()
    return { manifest, sha256, certified, checks: this.#checks, commands }
  }
}

/** What Node.js says at the end of an error is its version; before it comes the reason. */
function lastLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim())
  return lines.find((line) => /Error|FATAL/.test(line))?.slice(0, 300) ?? ''
}
