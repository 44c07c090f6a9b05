/** What a command works with: a client that knows its cluster, output, and Ctrl-C. */
import type { ClusterView } from '../schema/api/bodies.ts'
import { type CallInput, type Client, createClient } from '../schema/api/client.ts'
import type { Body, Params, Query, Response, RouteName } from '../schema/api/routes.ts'
import { HoldfastError } from '../schema/errors.ts'
import { type ContextFlags, findContext } from './context.ts'
import { Output, type OutputOptions } from './output.ts'
import { nearest } from './suggest.ts'

export type GlobalFlags = ContextFlags & OutputOptions

/** Routes below a cluster, and their other parameters. */
type ClusterRoute = { [N in RouteName]: 'cluster' extends keyof Params<N> ? N : never }[RouteName]
interface Input<N extends RouteName> {
  params?: Omit<Params<N>, 'cluster'>
  query?: Query<N>
  body?: Body<N>
}

export class Session {
  readonly out: Output
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  readonly #flags: ContextFlags
  #known: { client: Client; cluster: string | undefined } | null = null

  constructor(flags: GlobalFlags, signal: AbortSignal) {
    this.out = new Output(flags)
    this.signal = signal
    this.#flags = flags
  }

  /** A call that belongs to no cluster. */
  async call<N extends RouteName>(name: N, input: CallInput<N> = {}): Promise<Response<N>> {
    return this.#connection().client(name, { ...input, signal: this.signal })
  }

  /** A call about this cluster. A name that is not found gets the nearest one that is. */
  async inCluster<N extends ClusterRoute>(name: N, input: Input<N> = {}): Promise<Response<N>> {
    const cluster = await this.cluster()
    const params = { ...input.params, cluster } as unknown as Params<N>
    const { query, body } = input
    try {
      return await this.call(name, {
        params,
        ...(query !== undefined && { query }),
        ...(body !== undefined && { body }),
      } as CallInput<N>)
    } catch (error) {
      if (error instanceof HoldfastError && error.refusal.code === 'NOT_FOUND')
        throw await this.#withSuggestion(error, cluster, {
          ...input.params,
          ...(input.body as object | undefined),
        })
      throw error
    }
  }

  async view(): Promise<ClusterView> {
    return this.inCluster('getCluster')
  }

  /** The cluster that was named, or the only one there is. */
  async cluster(): Promise<string> {
    const connection = this.#connection()
    if (connection.cluster) return connection.cluster
    const { clusters } = await this.call('listClusters')
    const [first, second] = clusters
    if (first && !second) {
      connection.cluster = first.name
      return first.name
    }
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: 'which cluster?',
      why: first
        ? `There are ${clusters.length}: ${clusters.map((one) => one.name).join(', ')}.`
        : 'There is none yet.',
      remedy: first
        ? `--cluster ${first.name}, or HOLDFAST_CLUSTER=${first.name}`
        : 'holdfast cluster create <name>',
    })
  }

  #connection(): { client: Client; cluster: string | undefined } {
    if (!this.#known) {
      const { url, key, cluster } = findContext(this.#flags)
      this.#known = { client: createClient({ url, key }), cluster }
    }
    return this.#known
  }

  /** A wrong name in a call: looks up what names there are. The error stays what it was. */
  async #withSuggestion(
    error: HoldfastError,
    cluster: string,
    typed: Record<string, unknown>,
  ): Promise<HoldfastError> {
    const near = await this.#suggest(cluster, typed)
    if (!near) return error
    const { remedy } = error.refusal
    const meant = `did you mean "${near}"?`
    return new HoldfastError(
      { ...error.refusal, remedy: remedy ? `${meant}  ${remedy}` : meant },
      { cause: error },
    )
  }

  async #suggest(cluster: string, typed: Record<string, unknown>): Promise<string | null> {
    const { clusters } = await this.call('listClusters')
    const names = clusters.map((one) => one.name)
    if (!clusters.some((one) => one.name === cluster || one.id === cluster))
      return nearest(cluster, names)
    const view = await this.call('getCluster', { params: { cluster } })
    const known = namesIn(view)
    for (const value of Object.values(typed).flat()) {
      if (typeof value !== 'string' || known.ids.includes(value)) continue
      const near = known.names.includes(value) ? null : nearest(value, known.names)
      if (near) return near
    }
    return null
  }
}

function namesIn(view: ClusterView): { names: string[]; ids: string[] } {
  const all = [...view.nodes, ...view.groups, ...view.groups.flatMap((group) => group.resources)]
  return { names: all.map((one) => one.name), ids: all.map((one) => one.id) }
}
