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

  /** Another cluster than the one that was set up. */
  select(cluster: string): void {
    this.#connection().cluster = cluster
  }

  #connection(): { client: Client; cluster: string | undefined } {
    if (!this.#known) {
      const { url, key, cluster } = findContext(this.#flags)
      this.#known = { client: createClient({ url, key }), cluster }
    }
    return this.#known
  }

  /** A wrong name in a call: says what names there are, and which one may have been meant. */
  async #withSuggestion(
    error: HoldfastError,
    cluster: string,
    typed: Record<string, unknown>,
  ): Promise<HoldfastError> {
    const wrong = await this.#wrongName(cluster, typed)
    if (!wrong) return error
    const near = nearest(wrong.name, wrong.known)
    const { remedy = '' } = error.refusal
    const shown = wrong.known.slice(0, NAMES_SHOWN).join(', ')
    const more = wrong.known.length > NAMES_SHOWN ? ', …' : ''
    return new HoldfastError(
      {
        ...error.refusal,
        why: `${wrong.where} ${shown ? `these: ${shown}${more}.` : 'none.'}`,
        remedy: near ? `did you mean "${near}"?  ${remedy}`.trim() : remedy,
      },
      { cause: error },
    )
  }

  async #wrongName(cluster: string, typed: Record<string, unknown>): Promise<WrongName | null> {
    const { clusters } = await this.call('listClusters')
    if (!clusters.some((one) => one.name === cluster || one.id === cluster))
      return { name: cluster, where: 'There are', known: clusters.map((one) => one.name) }
    const view = await this.call('getCluster', { params: { cluster } })
    for (const [field, values] of Object.entries(typed)) {
      const kind = KIND_OF[field]
      if (!kind) continue
      const all = thingsIn(view, kind)
      const name = [values]
        .flat()
        .find((value) => !all.some((one) => one.id === value || one.name === value))
      if (typeof name !== 'string') continue
      return { name, where: `Of ${kind}s, ${view.name} has`, known: all.map((one) => one.name) }
    }
    return null
  }
}

const NAMES_SHOWN = 10

interface WrongName {
  readonly name: string
  readonly where: string
  readonly known: string[]
}

type Kind = 'node' | 'group' | 'resource'

/** Which parameters and fields name what. */
const KIND_OF: Readonly<Record<string, Kind>> = {
  node: 'node',
  to: 'node',
  preferredOwners: 'node',
  possibleOwners: 'node',
  group: 'group',
  resource: 'resource',
  dependsOn: 'resource',
}

function thingsIn(view: ClusterView, kind: Kind): readonly { id: string; name: string }[] {
  if (kind === 'node') return view.nodes
  if (kind === 'group') return view.groups
  return view.groups.flatMap((group) => group.resources)
}
