/** What a command works with: a client that knows its cluster, output, and Ctrl-C. */
import type { ClusterView } from '../schema/api/bodies.ts'
import {
  type CallInput,
  type Client,
  callRaw,
  createClient,
  dryRunOf,
} from '../schema/api/client.ts'
import { writes } from '../schema/api/route-errors.ts'
import {
  type Body,
  type Params,
  type Query,
  type Response,
  type RouteName,
  routes,
} from '../schema/api/routes.ts'
import { HoldfastError } from '../schema/errors.ts'
import { type ContextFlags, findContext } from './context.ts'
import { DryRunDone, isWrite, requireDryRun } from './dry-run.ts'
import { Feed } from './feed.ts'
import { Output, type OutputOptions } from './output.ts'
import { nearest } from './suggest.ts'
import type { Surroundings } from './surroundings.ts'
import { beginningWith, type Kind, namesOf, several, thingsIn } from './things.ts'

export type GlobalFlags = ContextFlags & OutputOptions & WriteFlags

interface WriteFlags {
  /** Of the write of a command only what it would change is wanted. */
  readonly dryRun?: boolean | undefined
  /** The update that the hive has to be at for the first write. */
  readonly ifMatch?: number | undefined
}

/** Routes below a cluster, and their other parameters. */
type ClusterRoute = { [N in RouteName]: 'cluster' extends keyof Params<N> ? N : never }[RouteName]
interface Input<N extends RouteName> {
  params?: Omit<Params<N>, 'cluster'>
  query?: Query<N>
  body?: Body<N>
}

export class Session {
  readonly out: Output
  readonly surroundings: Surroundings
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
  readonly #flags: GlobalFlags
  #known: Connection | null = null
  #hasWritten = false

  constructor(flags: GlobalFlags, surroundings: Surroundings, signal = surroundings.signal) {
    this.out = new Output(flags, surroundings)
    this.surroundings = surroundings
    this.signal = signal
    this.#flags = flags
  }

  /** Nothing will be changed: there is nothing to be sure about. */
  get dryRun(): boolean {
    return this.#flags.dryRun === true
  }

  /** The same for so long: calls that have not been answered by then are given up. */
  within(limitMs: number): Session {
    const signal = AbortSignal.any([this.signal, AbortSignal.timeout(limitMs)])
    return new Session(this.#flags, this.surroundings, signal)
  }

  /** A call that belongs to no cluster. */
  async call<N extends RouteName>(name: N, input: CallInput<N> = {}): Promise<Response<N>> {
    const isTried = this.dryRun && isWrite(name, input)
    if (isTried) requireDryRun(name)
    const whole = { ...input, signal: this.signal, ...this.#condition(name) }
    if (!isTried) return this.#connection().client(name, whole)
    const { url, key } = this.#connection()
    // The command ends here: whatever it would do next is about what was changed.
    throw new DryRunDone(await dryRunOf({ url, key }, name, whole))
  }

  /** Of the first write alone: what a command does next is about what it has changed itself. */
  #condition(name: RouteName): { ifMatch?: number } {
    const { ifMatch } = this.#flags
    if (ifMatch === undefined || this.#hasWritten || !writes(name)) return {}
    this.#hasWritten = true
    return { ifMatch }
  }

  /**
   * A call about this cluster. A name that is not found gets the nearest one that is; one that only
   * looks also takes the beginning of a name, if nothing else begins so.
   */
  async inCluster<N extends ClusterRoute>(name: N, input: Input<N> = {}): Promise<Response<N>> {
    const cluster = await this.cluster()
    try {
      return await this.#callIn(cluster, name, input)
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.refusal.code !== 'NOT_FOUND') throw error
      const { params, query, body } = input
      const typed = { ...params, ...(query as object), ...(body as object) }
      const wrong = await this.#wrongName(cluster, typed)
      if (!wrong) throw error
      if (routes[name].method === 'GET') {
        const fitting = beginningWith(wrong.known, wrong.name)
        if (fitting.length > 1) throw several(wrong.name, fitting)
        if (fitting[0]) return this.inCluster(name, renamed(input, wrong.field, fitting[0].name))
      }
      throw suggesting(error, wrong)
    }
  }

  async #callIn<N extends ClusterRoute>(
    cluster: string,
    name: N,
    input: Input<N>,
  ): Promise<Response<N>> {
    const params = { ...input.params, cluster } as unknown as Params<N>
    const { query, body } = input
    return this.call(name, {
      params,
      ...(query !== undefined && { query }),
      ...(body !== undefined && { body }),
    } as CallInput<N>)
  }

  /** What happens from now on, or behind update `after`. To be closed. */
  async feed(after?: number): Promise<Feed> {
    const cluster = await this.cluster()
    const { client, url, key } = this.#connection()
    return new Feed({ url, key, cluster, client, after, signal: this.signal })
  }

  /** A call of any path, its answer as it came; `{cluster}` in it becomes this cluster. */
  async raw(method: string, path: string, body: string | undefined): Promise<string> {
    const { url, key } = this.#connection()
    const cluster = path.includes('{cluster}') ? encodeURIComponent(await this.cluster()) : ''
    const at = new URL(path.replaceAll('{cluster}', cluster), url)
    // What takes none of it is refused by the control plane, and not done.
    if (this.dryRun && method !== 'GET') at.searchParams.set('dry_run', 'true')
    const { ifMatch } = method === 'GET' ? {} : this.#flags
    const whole = { method, path: at.pathname + at.search, body, ifMatch, signal: this.signal }
    return callRaw({ url, key }, whole)
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

  /** Which control plane, and with which key or session. */
  place(): { url: string; key: string | undefined } {
    const { url, key } = this.#connection()
    return { url, key }
  }

  /** Another cluster than the one that was set up. */
  select(cluster: string): void {
    this.#connection().cluster = cluster
  }

  #connection(): Connection {
    if (!this.#known) {
      const { env, cwd } = this.surroundings
      const { url, key, cluster } = findContext(this.#flags, env, cwd)
      this.#known = { client: createClient({ url, key }), url, key, cluster }
    }
    return this.#known
  }

  async #wrongName(cluster: string, typed: Record<string, unknown>): Promise<WrongName | null> {
    const { clusters } = await this.call('listClusters')
    if (!clusters.some((one) => one.name === cluster || one.id === cluster))
      return { field: 'cluster', name: cluster, where: 'There are these:', known: clusters }
    const view = await this.call('getCluster', { params: { cluster } })
    for (const [field, values] of Object.entries(typed)) {
      const kind = KIND_OF[field]
      if (!kind) continue
      const known = thingsIn(view, kind)
      const name = [values]
        .flat()
        .find((value) => !known.some((one) => one.id === value || one.name === value))
      if (typeof name !== 'string') continue
      return { field, name, where: `Of ${kind}s, ${view.name} has these:`, known }
    }
    return null
  }
}

interface Connection {
  readonly client: Client
  readonly url: string
  readonly key: string | undefined
  cluster: string | undefined
}

interface WrongName {
  readonly field: string
  readonly name: string
  readonly where: string
  readonly known: readonly { id: string; name: string }[]
}

/** A wrong name in a call: says what names there are, and which one may have been meant. */
function suggesting(error: HoldfastError, wrong: WrongName): HoldfastError {
  const names = wrong.known.map((one) => one.name)
  const near = nearest(wrong.name, names)
  const { remedy = '' } = error.refusal
  return new HoldfastError(
    {
      ...error.refusal,
      why: `${wrong.where} ${namesOf(wrong.known)}.`,
      remedy: near ? `did you mean "${near}"?  ${remedy}`.trim() : remedy,
    },
    { cause: error },
  )
}

/** The same call with one name replaced, in path or query. */
function renamed<N extends ClusterRoute>(input: Input<N>, field: string, name: string): Input<N> {
  const change = <T>(part: T): T =>
    part && typeof part === 'object' && field in part ? { ...part, [field]: name } : part
  return { ...input, params: change(input.params), query: change(input.query) } as Input<N>
}

/** Which parameters and fields name what. */
const KIND_OF: Readonly<Record<string, Kind>> = {
  node: 'node',
  to: 'node',
  preferredOwners: 'node',
  possibleOwners: 'node',
  group: 'group',
  resource: 'resource',
  dependsOn: 'resource',
  after: 'group',
  onlyWhile: 'group',
}
