/** What libvirt believes of many domains, for the price of one call. */
import type { Domain, DomainState, LibvirtClient } from './client.ts'

/** A domain that libvirt keeps locked, while a hook runs for it, keeps the answer for all from coming. */
const LEFT_STANDING_MS = 60_000

export class States {
  readonly #client: LibvirtClient
  #question: Promise<unknown> | null = null

  constructor(client: LibvirtClient) {
    this.#client = client
  }

  /**
   * By UUID. Whoever is missing has to be asked about by itself: it is not defined, or libvirt has not
   * answered for all in time.
   */
  async of(
    domains: readonly Domain[],
    timeoutMs: number,
  ): Promise<ReadonlyMap<string, DomainState>> {
    // A second question would take another one of libvirt's workers.
    if (domains.length < 2 || this.#question !== null) return NOTHING
    const question = this.#client.states(domains, { timeoutMs: LEFT_STANDING_MS }).then(
      (states) => states,
      // Whoever asks about each by itself will hear why.
      () => NOTHING,
    )
    this.#question = question
    void question.then(() => {
      this.#question = null
    })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<typeof NOTHING>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, NOTHING)
    })
    const states = await Promise.race([question, late])
    clearTimeout(timer)
    return states
  }
}

const NOTHING: ReadonlyMap<string, DomainState> = new Map()
