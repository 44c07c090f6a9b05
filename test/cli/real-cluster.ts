/** A real control plane with two pretend nodes, for what the command is shown against. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type ControlPlane,
  type ControlPlaneOptions,
  startControlPlane,
} from '../../demo/control-plane.ts'
import { type Client, createClient } from '../../schema/api/client.ts'
import { PretendNode } from './pretend-node.ts'

export const CLUSTER = 'prod'

export class RealCluster {
  readonly folder: string
  readonly control: ControlPlane
  readonly api: Client
  readonly nodes: PretendNode[] = []
  /** What was mailed, where that goes to the console. */
  readonly mails: readonly string[]

  private constructor(folder: string, control: ControlPlane, mails: readonly string[]) {
    this.folder = folder
    this.mails = mails
    this.control = control
    this.api = createClient({ url: control.url, key: control.key })
  }

  static async start(
    parts: Pick<ControlPlaneOptions, 'extensions' | 'accounts'> = {},
  ): Promise<RealCluster> {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'))
    const mails: string[] = []
    const log = (_: string, message: string) => {
      if (message.startsWith('mail to ')) mails.push(message)
    }
    const options = { folder: join(folder, 'control'), port: 0, log, ...parts }
    const control = await startControlPlane(options)
    const cluster = new RealCluster(folder, control, mails)
    await cluster.api('createCluster', { body: { name: CLUSTER, profile: 'standard' } })
    for (const name of ['n1', 'n2'])
      cluster.nodes.push(await PretendNode.join(cluster.api, control.url, CLUSTER, name))
    await cluster.until((view) => view.nodes.every((node) => node.connected))
    return cluster
  }

  get env(): Record<string, string> {
    const { url, key } = this.control
    return { HOLDFAST_URL: url, HOLDFAST_API_KEY: key, HOLDFAST_CLUSTER: CLUSTER }
  }

  get params() {
    return { cluster: CLUSTER }
  }

  view() {
    return this.api('getCluster', { params: this.params })
  }

  async until(
    is: (view: Awaited<ReturnType<RealCluster['view']>>) => boolean,
    timeoutMs = 15_000,
  ): Promise<void> {
    for (const endMs = performance.now() + timeoutMs; ; ) {
      const view = await this.view()
      if (is(view)) return
      if (performance.now() > endMs) throw new Error(`not so: ${JSON.stringify(view)}`)
      await new Promise((done) => setTimeout(done, 20))
    }
  }

  /** A group with these resources, online. */
  async online(name: string, resources: readonly string[] = []): Promise<void> {
    await this.api('createGroup', { params: this.params, body: { name } })
    for (const one of resources)
      await this.api('createResource', {
        params: this.params,
        body: { name: one, group: name, type: 'process', properties: { command: '/bin/true' } },
      })
    await this.until(
      (view) =>
        view.groups.find((g) => g.name === name)?.phase === 'owned' &&
        view.groups
          .filter((g) => g.name === name)
          .every((g) => g.resources.every((r) => r.status === 'online')),
    )
  }

  /** A node whose host has never reported. */
  async join(name: string): Promise<void> {
    const { token } = await this.api('createToken', { params: this.params, body: {} })
    await this.api('join', { body: { token, name, publicKey: 'A'.repeat(43) } })
  }

  /** One that has been up, and is not heard of any more. */
  async lost(name: string): Promise<void> {
    const node = await PretendNode.join(this.api, this.control.url, CLUSTER, name)
    await this.until((view) => view.nodes.some((n) => n.name === name && n.connected))
    node.close()
  }

  async stop(): Promise<void> {
    for (const node of this.nodes) node.close()
    await this.control.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
