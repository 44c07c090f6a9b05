/** Rules S, C and U, by which sessions give and take permission, switched off. */
import {
  GRANTS_AGAIN,
  LAPSE_LEAVES_GRANTS,
  OLDER_REPORTS,
  OLDER_SOCKETS_STAY,
  TAKES_ANY_REPORT,
} from './edits.ts'
import type { Mutant } from './mutant.ts'

const GRANT_ALL = `
    for (const g of this.#replica.hive.groups.values())
      if (g.ownership.phase === 'owned' && g.ownership.owner === this.#identity.file.nodeId) {
        const grant = { groupId: g.id, epoch: g.ownership.epoch }
        if (this.#grants.some((x) => x.groupId === g.id)) continue
        this.#toGuard({ t: 'grant', session: this.#session.number ?? 0, ...grant })
        this.#grants.push(grant)
      }
`

/** What the hive says of a group takes no grant of it away. */
const TAKES_NOTHING = {
  file: 'probe/core/duties.ts',
  find: '    if (!group || owner !== known.nodeId || epoch !== grant.epoch) {\n',
  replace: '    if (!group || (owner === known.nodeId && epoch === undefined)) {\n',
}

const SNAPSHOT_GRANTS = {
  file: 'probe/agent/agent.ts',
  find: '    if (!this.#replica.snapshotPart(part, parts, text, hash)) return\n',
  replace: `    if (!this.#replica.snapshotPart(part, parts, text, hash)) return\n${GRANT_ALL}`,
}

const DISK_GRANTS = {
  file: 'probe/agent/agent.ts',
  find: '    this.#compared = false\n    this.#toldIntents = told\n',
  replace: `    this.#compared = false\n    this.#toldIntents = told\n${GRANT_ALL}`,
}

const CATCH_UP_GRANTS = {
  file: 'probe/core/permission.ts',
  find: 'u.seq <= before || u.seq <= seqW) return []',
  replace: 'u.seq <= before) return []',
}

const SNAPSHOT_IN_ORDER =
  'a snapshot is made behind the report that was accepted, and comes in order with all that follows (A4)'

const NO_PERMISSION_ALONE =
  'a grant alone runs nothing here: the agent holds what the hive of now gives, and no lease comes before that is there (L2, A4)'

export const SESSION_MUTANTS: readonly Mutant[] = [
  {
    rule: 'S1',
    breaks: 'older sockets of a node go on being heard',
    edits: [OLDER_SOCKETS_STAY],
    secondLine: 'S2: the core ignores what comes from another session than the latest accepted one',
  },
  {
    rule: 'S2',
    breaks: 'the report of an older session is accepted',
    edits: OLDER_REPORTS,
    secondLine: 'S1: with the welcome of a session the older sockets of its node are closed',
  },
  {
    rule: 'S2',
    breaks: 'the report of an older session is accepted, on a socket that a newer one leaves open',
    edits: [...OLDER_REPORTS, OLDER_SOCKETS_STAY],
  },
  {
    rule: 'S2',
    breaks: 'acks and requests of other sessions count',
    edits: [
      {
        file: 'worker/core/node-manager.ts',
        find: "return node !== undefined && node.state !== 'down' && node.session === event.session",
        replace: 'return node !== undefined && event.session > 0',
      },
    ],
    secondLine: 'C5, O2: acks and accepts name an epoch, and count for the present owner only',
  },
  {
    rule: 'S4',
    breaks: 'a report that lists what is not its own is accepted',
    edits: [TAKES_ANY_REPORT],
    secondLine: 'L5: whoever lost its groups has lost its grants before, by its own clock',
  },
  {
    rule: 'S4',
    breaks: 'a guard that forgot what it runs is believed that it runs nothing',
    edits: [
      {
        file: 'worker/core/membership-manager.ts',
        find: 'return node.guard !== event.guard || node.bootId !== event.bootId',
        replace: 'return false',
      },
    ],
    secondLine: 'G11: a new guard ends what it finds before it reports, whatever it has forgotten',
  },
  {
    rule: 'S4',
    breaks: 'what a report leaves out stays with its owner',
    edits: [
      {
        file: 'worker/core/membership-manager.ts',
        find: '    if (held.has(group.id)) continue\n',
        replace: '    if (held.has(group.id) || draft.nowMs > 0) continue\n',
      },
    ],
  },
  {
    rule: 'S5',
    breaks: 'a challenge that was never answered is taken for a lost session',
    edits: [
      {
        file: 'worker/loss-watch.ts',
        find: "    if (a?.phase !== 'welcomed') return\n    const open",
        replace: '    if (!a) return\n    const open',
      },
    ],
    secondLine: 'a newer welcomed session stands, and what is lost already stays as it is',
  },
  {
    rule: 'L5+S4',
    breaks: 'a lapse leaves the grants, and a report that lists them is accepted',
    edits: [LAPSE_LEAVES_GRANTS, TAKES_ANY_REPORT],
    secondLine: NO_PERMISSION_ALONE,
  },
  {
    rule: 'L5+S4+U1',
    breaks:
      'a lapse leaves the grants, a report that lists them is accepted, and the hive takes none away',
    edits: [LAPSE_LEAVES_GRANTS, TAKES_ANY_REPORT, TAKES_NOTHING],
  },
  {
    rule: 'C1',
    breaks: 'a grant of another session is taken',
    edits: [
      {
        file: 'probe/core/guard.ts',
        find: "if (!state.session?.welcomed || state.session.number !== session) return deny('C1: other session')",
        replace: "if (session < 0) return deny('C1: other session')",
      },
    ],
    secondLine:
      'agent and guard speak over one pipe, in order: a grant comes before the challenge that ends its session',
  },
  {
    rule: 'C4',
    breaks: 'what could not be committed is sent all the same',
    edits: [
      {
        file: 'worker/cluster-object.ts',
        find: '      state.hash = this.#store.commit(event, nowMs, decision, state.hash, first, lines, also)\n',
        replace:
          '      try { state.hash = this.#store.commit(event, nowMs, decision, state.hash, first, lines, also) } catch { /* goes on */ }\n',
      },
    ],
  },
  {
    rule: 'C5',
    breaks: 'a group is free as soon as its owner was asked to stop it',
    edits: [
      {
        file: 'worker/core/failover-manager.ts',
        find: "    case 'releasing':\n      forgetFailback(draft, group)\n      settleCarry(draft, group)\n      break\n",
        replace:
          "    case 'releasing':\n      freeGroup(draft, group, 'released', { manager: 'FM', code: 'released' })\n      break\n",
      },
    ],
  },
  {
    rule: 'C5',
    breaks: 'an ack counts whoever sends it, for whatever epoch',
    edits: [
      {
        file: 'worker/core/failover-manager.ts',
        find: 'if (!group || owner !== event.nodeId || epoch !== event.epoch) return',
        replace: 'if (!group || owner === undefined || epoch === undefined) return',
      },
    ],
  },
  {
    rule: 'U1',
    breaks: 'a snapshot is permission',
    edits: [SNAPSHOT_GRANTS],
    secondLine: SNAPSHOT_IN_ORDER,
  },
  {
    rule: 'U1',
    breaks: 'the replica on disk is permission',
    edits: [DISK_GRANTS],
    secondLine: NO_PERMISSION_ALONE,
  },
  {
    rule: 'U1',
    breaks: 'the replica on disk is permission, and the hive takes nothing away',
    edits: [DISK_GRANTS, TAKES_NOTHING],
  },
  {
    rule: 'U1',
    breaks: 'a grant that the hive no longer gives goes on',
    edits: [
      {
        file: 'probe/core/duties.ts',
        find: '      if (!older) stop.push(grant)\n',
        replace: '      if (!older && grant.epoch < 0) stop.push(grant)\n',
      },
    ],
    secondLine:
      'C5, S4: nothing takes a group from a node that has it without its word, and a report that lists what is not its own is refused',
  },
  {
    rule: 'U2',
    breaks: 'the catch-up of missed updates is permission',
    edits: [CATCH_UP_GRANTS],
    secondLine: NO_PERMISSION_ALONE,
  },
  {
    rule: 'U2',
    breaks: 'the catch-up of missed updates is permission, and the hive takes nothing away',
    edits: [CATCH_UP_GRANTS, TAKES_NOTHING],
  },
  {
    rule: 'U3',
    breaks: 'a replica that is no prefix is kept',
    edits: [
      {
        file: 'probe/agent/replica.ts',
        find: '    return this.hash === hash\n',
        replace: '    return hash !== ""\n',
      },
      {
        file: 'worker/welcome.ts',
        find: 'if (seq > newest || store.hashAt(seq) !== hash) return -1',
        replace: 'if (seq > newest || hash === "") return -1',
      },
    ],
    secondLine:
      'S-77: a replica whose file was changed is not read, and the stream itself has no gaps',
  },
  {
    rule: 'U4',
    breaks: 'with snapshots as permission, an epoch that was seen is granted again',
    edits: [SNAPSHOT_GRANTS, GRANTS_AGAIN],
    secondLine: SNAPSHOT_IN_ORDER,
  },
]
