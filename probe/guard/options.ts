/** What a guard is started with. */
export interface GuardOptions {
  /** Folder that lasts: identity, replica. */
  readonly stateFolder: string
  /** Folder that does not survive a boot: guard.json, sockets, FIFOs. */
  readonly runFolder: string
  readonly policyFile: string
  readonly nodeId: string
  readonly nodeName: string
  readonly agentFile: string
  /** Where the agent listens for its peers (`--peers`); the guard itself has no network. */
  readonly peers: string
  readonly rhsFile: string
}
