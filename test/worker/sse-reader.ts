/** A reader of server-sent events in tests. */
export interface Seen {
  id?: string
  event: string
  data: Record<string, unknown>
}

export class SseReader {
  readonly seen: Seen[] = []
  comments = 0
  over = false
  readonly #reader: ReadableStreamDefaultReader<string>

  constructor(response: Response) {
    if (!response.body) throw new Error('no body')
    this.#reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    void this.#read()
  }

  async #read(): Promise<void> {
    let text = ''
    for (;;) {
      const { value, done } = await this.#reader.read().catch(() => ({ value: '', done: true }))
      text += value ?? ''
      for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
        this.#take(text.slice(0, at))
        text = text.slice(at + 2)
      }
      if (!done) continue
      this.over = true
      return
    }
  }

  #take(block: string): void {
    if (block.startsWith(':')) this.comments += 1
    const fields = Object.fromEntries(block.split('\n').map((line) => line.split(/: (.*)/, 2)))
    const { id, event = 'message', data } = fields as Record<string, string>
    if (data !== undefined) this.seen.push({ ...(id && { id }), event, data: JSON.parse(data) })
  }

  of(event: string): Seen[] {
    return this.seen.filter((one) => one.event === event)
  }

  async until(what: string, is: () => boolean, ms = 30_000): Promise<void> {
    for (const endMs = performance.now() + ms; !is(); ) {
      if (performance.now() > endMs) throw new Error(`not ${what}: ${JSON.stringify(this.seen)}`)
      await new Promise((done) => setTimeout(done, 5))
    }
  }

  async stop(): Promise<void> {
    await this.#reader.cancel()
  }
}
