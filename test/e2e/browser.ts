/** A real browser (Debian's chromium-headless-shell), told what to do by the DevTools protocol. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WebSocket } from 'ws'
import { eventually } from './demo.ts'

const PROGRAM = 'chromium-headless-shell'

/** Null: there is one. */
export const whyNoBrowser = (): string | null =>
  spawnSync(PROGRAM, ['--version']).status === 0 ? null : `there is no ${PROGRAM} here`

type Answer = { id?: number; sessionId?: string; error?: { message: string }; result?: unknown }

export class Browser {
  readonly #folder: string
  readonly #process: ChildProcess
  readonly #ws: WebSocket
  #sent = 0
  readonly #waiting = new Map<number, (answer: Answer) => void>()

  private constructor(folder: string, process: ChildProcess, ws: WebSocket) {
    this.#folder = folder
    this.#process = process
    this.#ws = ws
    ws.on('message', (data) => {
      const answer = JSON.parse(String(data)) as Answer
      if (answer.id !== undefined) this.#waiting.get(answer.id)?.(answer)
    })
  }

  static async start(): Promise<Browser> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-browser-'))
    // As root there is no sandbox of its own; it sees pages of the test alone.
    const flags = ['--no-sandbox', '--disable-gpu', '--remote-debugging-port=0']
    const child = spawn(PROGRAM, [...flags, `--user-data-dir=${folder}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr?.on('data', (text) => (said += text))
    const url = await eventually('the address of the browser', () => /ws:\/\/\S+/.exec(said)?.[0])
    const ws = new WebSocket(url)
    await new Promise<void>((done, failed) => ws.once('open', done).once('error', failed))
    return new Browser(folder, child, ws)
  }

  /** A page of its own, as in a private window: nothing is kept from others. */
  async open(url: string): Promise<Page> {
    const { browserContextId } = await this.send<{ browserContextId: string }>(
      'Target.createBrowserContext',
    )
    const made = { url: 'about:blank', browserContextId }
    const { targetId } = await this.send<{ targetId: string }>('Target.createTarget', made)
    const attached = { targetId, flatten: true }
    const { sessionId } = await this.send<{ sessionId: string }>('Target.attachToTarget', attached)
    const page = new Page(this, sessionId)
    await page.go(url)
    return page
  }

  async send<T>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    this.#sent += 1
    const id = this.#sent
    const answered = new Promise<Answer>((done) => this.#waiting.set(id, done))
    this.#ws.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }))
    const { error, result } = await answered
    this.#waiting.delete(id)
    if (error) throw new Error(`${method}: ${error.message}`)
    return result as T
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.#process.once('exit', done))
    this.#ws.terminate()
    this.#process.kill('SIGKILL')
    await ended
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

export class Page {
  readonly #browser: Browser
  readonly #session: string

  constructor(browser: Browser, session: string) {
    this.#browser = browser
    this.#session = session
  }

  async go(url: string): Promise<void> {
    await this.#browser.send('Page.enable', {}, this.#session)
    await this.#browser.send('Page.navigate', { url }, this.#session)
    await eventually('the page', () => this.run<boolean>("document.readyState === 'complete'"))
  }

  /** What a script within the page comes to. */
  async run<T>(expression: string): Promise<T> {
    const asked = { expression, returnByValue: true, awaitPromise: true }
    const { result, exceptionDetails } = await this.#browser.send<{
      result: { value: T }
      exceptionDetails?: { text: string; exception?: { description?: string } }
    }>('Runtime.evaluate', asked, this.#session)
    if (exceptionDetails)
      throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }

  /** What somebody sees of it. */
  text = (): Promise<string> => this.run('document.body.innerText')
  url = (): Promise<string> => this.run('location.href')

  /** Typed by a person, key by key. */
  async type(id: string, text: string): Promise<void> {
    await this.run(`document.getElementById(${JSON.stringify(id)}).focus()`)
    await this.#browser.send('Input.insertText', { text }, this.#session)
  }

  click = (id: string): Promise<void> =>
    this.run(`document.getElementById(${JSON.stringify(id)}).click()`)

  /** @returns what it says then */
  async until(what: RegExp): Promise<string> {
    return eventually(`${what} on the page`, async () => {
      const text = await this.text()
      return what.test(text) ? text : undefined
    })
  }
}
