/** Rules O and what the rows of the specification add, switched off. */
import type { Mutant } from './mutant.ts'

export const CONTROL_PLANE_MUTANTS: readonly Mutant[] = [
  {
    rule: 'O2',
    breaks: 'a group is placed again at the epoch it had',
    edits: [
      {
        file: 'worker/core/failover-manager.ts',
        find: 'epoch: free.epoch + 1,\n          ...resumeOf(free.copy, target.id),\n          correlationId',
        replace: 'epoch: free.epoch,\n          correlationId',
      },
    ],
  },
  {
    rule: 'O2',
    breaks: 'an accepted offer stands although its target was lost or the group placed since',
    edits: [
      {
        file: 'worker/core/failover-manager.ts',
        find: "    offer.epoch === free.epoch &&\n    target?.state === 'up' &&\n    target.session === offer.session &&\n",
        replace: '    target !== undefined &&\n',
      },
    ],
    secondLine:
      'O2, O3: only a free group is placed, on a node that is Up and may have it; an old accept costs a question',
  },
  {
    rule: 'O2, O3',
    breaks: 'an accept places a group that is not free yet',
    edits: [
      {
        file: 'worker/core/failover-manager.ts',
        find: 'function commitOwner(',
        replace: 'export function commitOwner(',
      },
      {
        file: 'worker/core/offers.ts',
        find: "import { placeForCopy } from './carrying.ts'\n",
        replace:
          "import { placeForCopy } from './carrying.ts'\nimport { commitOwner } from './failover-manager.ts'\n",
      },
      {
        file: 'worker/core/offers.ts',
        find: "  draft.observe({ table: 'offer', id: event.groupId, value: { ...offer, accepted: true } })\n",
        replace: `  draft.observe({ table: 'offer', id: event.groupId, value: { ...offer, accepted: true } })
  const accepted = draft.group(event.groupId)
  const by = draft.node(event.nodeId)
  if (accepted?.ownership.phase === 'releasing' && by)
    commitOwner(draft, accepted, { ...accepted.ownership, phase: 'free', owner: null, reason: 'released' } as never, by)
`,
      },
    ],
  },
  {
    rule: 'S-16',
    breaks: 'a repeated report has its effect again',
    edits: [
      {
        file: 'worker/core/communications-manager.ts',
        find: 'return known?.run === run && n <= known.n',
        replace: 'return known?.run === run && n < 0',
      },
    ],
  },
  {
    rule: 'S-16',
    breaks: 'a report that was not acked is not told again',
    edits: [
      {
        file: 'probe/agent/reports.ts',
        find: "    this.#unacked = this.#unacked.filter((r) => r.t !== 'status' && r.t !== 'intent')\n",
        replace: '    this.#unacked = []\n',
      },
    ],
    secondLine: 'S3, S4: the report that every session begins with says the same',
  },
  {
    rule: 'S-68',
    breaks: 'a local stop undoes what was decided since',
    edits: [
      {
        file: 'worker/core/rcm.ts',
        find: 'if ((r.stateSeq ?? 0) > intent.knownSeq)',
        replace: 'if (intent.knownSeq < 0)',
      },
    ],
  },
  {
    rule: 'S-77',
    breaks: 'a damaged replica is believed',
    edits: [
      {
        file: 'probe/agent/replica.ts',
        find: 'if (file.sum !== sumOf(String(file.hash), JSON.stringify(file.hive))) return',
        replace: 'void sumOf',
      },
    ],
  },
  {
    rule: 'S-90',
    breaks: 'a wait that is over is not acted on',
    edits: [
      {
        file: 'worker/loss-watch.ts',
        find: '    this.#deps.tryLost(nodeId, evidence)\n',
        replace: '    void evidence\n',
      },
    ],
  },
]
