/**
 * A FAKE control plane: canned bodies over real HTTP, no cluster behind them. It shows what the
 * command does with answers of the agreed form; that the real control plane gives such answers is
 * for test/worker and test/e2e to show. Requests and answers are checked against the route table.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type * as z from 'zod'
import type { ClusterView, GroupView } from '../../schema/api/bodies.ts'
import type { OperationView } from '../../schema/api/operations.ts'
import { type Response, type RouteName, routes } from '../../schema/api/routes.ts'
import { type StreamFrame, streamFrame } from '../../schema/api/stream.ts'
import { ERRORS, type ErrorCode } from '../../schema/errors.ts'
import { id, NOW_MS, sampleView } from './sample-view.ts'

export const KEY = 'hfk_test'

interface Call {
  readonly route: RouteName
  readonly params: Record<string, string>
  readonly query: Record<string, string>
  readonly body: unknown
}

class FakeRefusal extends Error {
  readonly code: ErrorCode
  constructor(code: ErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

export class FakeControlPlane {
  view: ClusterView = sampleView()
  readonly calls: Call[] = []
  /** Whether moves and stops get anywhere. */
  works = true
  #moved: { group: GroupView; from: string | null; to: string | null; epoch: number } | null = null
  /** Whether event streams get through; else they are answered as by a proxy without WebSockets. */
  streams = true
  /** `after` of each event stream that was asked for. */
  readonly asked: (string | null)[] = []
  readonly watchers = new Set<WebSocket>()
  readonly #server: Server
  readonly #sockets = new WebSocketServer({ noServer: true })
  /** Long polls that wait for something to happen. */
  #polls: (() => void)[] = []

  constructor() {
    this.#server = createServer((request, answer) => {
      void this.#serve(request).then(({ status, body }) => {
        answer.writeHead(status, { 'content-type': 'application/json' })
        answer.end(JSON.stringify(body))
      })
    })
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head))
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const url = new URL(request.url ?? '/', 'http://fake')
    this.asked.push(url.searchParams.get('after'))
    const known = request.headers.authorization === `Bearer ${KEY}`
    if (!this.streams || !known) {
      socket.end(
        `HTTP/1.1 ${known ? '403 Forbidden' : '401 Unauthorized'}\r\ncontent-length: 0\r\n\r\n`,
      )
      return
    }
    this.#sockets.handleUpgrade(request, socket, head, (ws) => {
      this.watchers.add(ws)
      ws.on('close', () => this.watchers.delete(ws))
      tell(ws, { t: 'hello', seq: this.view.seq, observed: 1 })
    })
  }

  /** Something has happened: the view, or an update, or nothing but that. */
  happen(...frames: StreamFrame[]): void {
    const said: StreamFrame[] = frames.length > 0 ? frames : [{ t: 'observed', observed: 2 }]
    for (const ws of this.watchers) for (const frame of said) tell(ws, frame)
    for (const wake of this.#polls.splice(0)) wake()
  }

  /** How many wait for something to happen, by whichever means. */
  get waiting(): number {
    return this.watchers.size + this.#polls.length
  }

  async listen(port = 0): Promise<void> {
    await new Promise<void>((done) => this.#server.listen(port, '127.0.0.1', done))
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    for (const ws of this.watchers) ws.terminate()
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
  }

  async #serve(request: IncomingMessage): Promise<{ status: number; body: unknown }> {
    try {
      if (request.headers.authorization !== `Bearer ${KEY}`)
        throw new FakeRefusal('UNAUTHENTICATED', 'the API key is not known')
      const call = await readCall(request)
      this.calls.push(call)
      if (Number(call.query['waitMs'] ?? 0) > 0) await new Promise<void>((d) => this.#polls.push(d))
      return { status: 200, body: routes[call.route].response.parse(this.#answer(call)) }
    } catch (error) {
      const code = error instanceof FakeRefusal ? error.code : 'INTERNAL'
      const { http, title } = ERRORS[code]
      const detail = (error as Error).message
      const body = { type: 'about:blank', title, status: http, detail, code, request: 'req_1' }
      return { status: http, body }
    }
  }

  #answer(call: Call): unknown {
    const { view } = this
    const { cluster } = call.params
    if (cluster !== undefined && cluster !== view.name && cluster !== view.id)
      throw new FakeRefusal('NOT_FOUND', `no cluster "${cluster}"`)
    const node = find('node', view.nodes, call)
    const group = find('group', view.groups, call)
    const resource = find(
      'resource',
      view.groups.flatMap((one) => one.resources),
      call,
    )
    if (call.route === 'moveGroup') this.#move(group as GroupView, call)
    if (call.route === 'getOperation') return this.#operation(call.params['operation'] ?? '')
    if (call.route === 'offlineGroup' && this.works)
      for (const one of group?.resources ?? []) one.status = 'offline'
    if (call.route === 'offlineResource' && this.works && resource) resource.status = 'offline'
    if (call.route === 'evictNode') throw new FakeRefusal('NODE_OWNS_GROUPS', 'n1 still owns web')
    return (
      canned(view, { node, group, resource })[call.route] ?? {
        seq: view.seq + 1,
        id: id(7),
        operation: 'u42',
      }
    )
  }

  #move(group: GroupView, call: Call): void {
    const { to } = call.body as { to?: string }
    if (to !== undefined && !this.view.nodes.some((one) => one.name === to))
      throw new FakeRefusal('NOT_FOUND', `no node "${to}"`)
    if (to === group.owner) throw new FakeRefusal('ALREADY_THERE', `web is on ${to} already`)
    this.#moved = { group, to: to ?? null, from: group.owner, epoch: group.epoch }
    if (!this.works) return
    group.epoch += 1
    group.owner = to ?? 'n2'
  }

  /** The move that was asked for last, by how the group stands now. */
  #operation(operation: string): OperationView {
    if (operation !== 'u42' || !this.#moved)
      throw new FakeRefusal('NOT_FOUND', `no operation "${operation}"`)
    const { group, from, to, epoch } = this.#moved
    const there = group.epoch > epoch
    const state = !there ? 'running' : to === null || group.owner === to ? 'done' : 'problems'
    return cannedOperation(group.name, from, group.owner, state)
  }
}

function tell(ws: WebSocket, frame: StreamFrame): void {
  ws.send(JSON.stringify(streamFrame.parse(frame)))
}

function find<T extends { id: string; name: string }>(
  kind: 'node' | 'group' | 'resource',
  all: readonly T[],
  call: Call,
): T | undefined {
  const wanted = call.params[kind] ?? call.query[kind]
  if (wanted === undefined) return undefined
  const found = all.find((one) => one.id === wanted || one.name === wanted)
  if (!found) throw new FakeRefusal('NOT_FOUND', `no ${kind} "${wanted}"`)
  return found
}

async function readCall(request: IncomingMessage): Promise<Call> {
  const url = new URL(request.url ?? '/', 'http://fake')
  for (const route of Object.keys(routes) as RouteName[]) {
    const { method, path, ...rest } = routes[route]
    const params = method === request.method ? match(path, url.pathname) : null
    if (!params) continue
    let text = ''
    for await (const part of request) text += part
    const check = rest as { body?: z.ZodType; query?: z.ZodType }
    const query = Object.fromEntries(url.searchParams)
    check.query?.parse(query)
    return { route, params, query, body: check.body?.parse(JSON.parse(text)) ?? null }
  }
  throw new FakeRefusal('NOT_FOUND', `no route ${request.method} ${url.pathname}`)
}

function match(pattern: string, path: string): Record<string, string> | null {
  const names = pattern.split('/')
  const parts = path.split('/')
  if (names.length !== parts.length) return null
  const params: Record<string, string> = {}
  for (const [i, name] of names.entries())
    if (name.startsWith(':')) params[name.slice(1)] = decodeURIComponent(parts[i] as string)
    else if (name !== parts[i]) return null
  return params
}

type Found = Record<'node' | 'group' | 'resource', unknown>

function canned(view: ClusterView, found: Found): Partial<Record<RouteName, unknown>> {
  const summary = {
    id: view.id,
    name: view.name,
    profile: view.profile,
    createdAtMs: NOW_MS - 7_200_000,
  }
  return {
    health: { ok: true, version: '0.1.0', checks: [] },
    listClusters: { clusters: [summary] },
    createCluster: summary,
    getCluster: view,
    getHive: { seq: view.seq, hash: view.hash, value: { Cluster: { Name: 'prod', Nodes: {} } } },
    createToken: { id: id(8), token: 'hfj_secret', uses: 1, expiresAtMs: NOW_MS + 3_600_000 },
    listTypes: {
      types: [
        {
          ...{ type: 'process', title: 'A program', host: 'rhs', shipped: true },
          ...{
            versions: ['1.0.0'],
            properties: {},
            controls: [],
            managed: false,
            nodes: ['n1'],
            unable: [],
          },
        },
      ],
    },
    listNodes: { nodes: view.nodes },
    getNode: found.node,
    listGroups: { groups: view.groups },
    getGroup: found.group,
    listResources: { resources: view.groups.flatMap((one) => one.resources) },
    getResource: found.resource,
    whyNode: cannedWhy('node'),
    whyGroup: cannedWhy('group'),
    whyResource: cannedWhy('resource'),
    getEvidence: cannedEvidence,
    listEvents: { events: [cannedEvent], next: 41, observed: 1 },
    listLog: { entries: [cannedEntry], next: 9 },
  }
}

function cannedOperation(
  group: string,
  from: string | null,
  to: string | null,
  state: 'running' | 'done' | 'problems',
): OperationView {
  const over = state !== 'running'
  const step = { subject: group, fromMs: NOW_MS, ms: 31, limitMs: 2_000, detail: null }
  return {
    ...{ id: 'u42', kind: 'move', subject: { kind: 'group', name: group }, by: 'ana', state },
    summary: over ? `group ${group} moved from ${from} to ${to}` : `group ${group} leaves ${from}`,
    ...{ beganAtMs: NOW_MS, endedAtMs: over ? NOW_MS + 57 : null, elapsedMs: 57, limitMs: 362_000 },
    progress: { done: over ? 1 : 0, of: 1 },
    cancel: over ? null : `${group} comes back up on ${from}`,
    groups: [{ group, from, to, state: 'done', outage: over ? { ms: 31, is: 'measured' } : null }],
    steps: [{ ...step, what: 'place', node: to, state: over ? 'done' : 'running' }],
  }
}

const cannedEvidence: Response<'getEvidence'> = {
  incidents: [
    {
      atMs: NOW_MS,
      node: 'n1',
      monitor: 'rhs',
      detail: 'it hangs: isAlive of process has not returned for 5200 ms',
      calls: [
        { n: 7, type: 'process', fn: 'isAlive', of: 'nginx', atMs: 9_000, tookMs: 0.4 },
        { n: 8, type: 'process', fn: 'isAlive', of: 'nginx', atMs: 14_000 },
      ],
      stack: ['isAlive (file:///opt/holdfast/holdfast-rhs.js:120:7)'],
      said: ['Warning: \u001b[31mslow'],
    },
  ],
}

const cannedWhy = (kind: Response<'whyGroup'>['kind']): Response<'whyGroup'> => ({
  kind,
  id: id(101),
  name: 'web',
  verdict: 'web is online on n1: first eligible node',
  sinceMs: NOW_MS,
  chain: [cannedEvent],
  nodes: [
    { node: 'n1', eligible: true, owner: true, reason: 'place 1 of the list' },
    { node: 'n2', eligible: false, owner: false, reason: 'paused' },
  ],
  change: ['holdfast node resume n2'],
})

export const cannedEvent: Response<'listEvents'>['events'][number] = {
  seq: 41,
  atMs: NOW_MS,
  type: 'group.owned',
  subject: 'web',
  message: 'group web: n1 owns it at epoch 4',
  because: { manager: 'FM', code: 'placed', rule: 'O2' },
  correlationId: 'c1',
}

const cannedEntry: Response<'listLog'>['entries'][number] = {
  id: 9,
  atMs: NOW_MS,
  node: 'n1',
  component: 'RHS',
  group: 'web',
  resource: 'nginx1',
  resourceId: id(201),
  correlationId: 'c1',
  message: 'Online called',
}
