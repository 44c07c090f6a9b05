/** Rules F, and what the takeover policy `fence` adds to D and C, switched off. */
import { OVER_WHATEVER_BOOT } from './edits.ts'
import type { Mutant } from './mutant.ts'

export const FENCING_MUTANTS: readonly Mutant[] = [
  {
    rule: 'F1',
    breaks: 'a fence that failed counts as one that was confirmed',
    edits: [
      {
        file: 'worker/core/fencing.ts',
        find: "  if (outcome === 'failed') return attemptFailed(draft, event)\n",
        replace: '  void attemptFailed\n  void outcome\n',
      },
    ],
  },
  {
    rule: 'F2',
    breaks: 'a result about an earlier boot ends the boot of now',
    edits: [
      {
        file: 'worker/core/fencing.ts',
        find: "if (!node || node.state === 'down' || node.bootId !== boot) {",
        replace: "if (!node || node.state === 'down') {",
      },
      OVER_WHATEVER_BOOT,
    ],
  },
  {
    rule: 'F3',
    breaks: 'the report of a boot that is over is accepted',
    edits: [
      {
        file: 'worker/core/membership-manager.ts',
        find: '  if (node.overBoots?.includes(event.bootId)) {',
        replace: '  if (node.overBoots?.includes(event.bootId) && draft.nowMs < 0) {',
      },
    ],
    secondLine: 'F1: that boot is over, and reports nothing any more; D1: its sockets were closed',
  },
  {
    rule: 'F4',
    breaks: 'the socket of a node whose boot is over stays open',
    edits: [
      {
        file: 'worker/core/fencing.ts',
        find: "  draft.effects.push({ type: 'closeSession', nodeId: node.id, code: CLOSE.fenced, detail })\n",
        replace: '  void [CLOSE, detail]\n',
      },
      {
        file: 'worker/core/fencing.ts',
        find: "return node && node.state !== 'down' && node.bootId === said.boot ? node.id : null",
        replace: "return node && node.state !== 'down' && node.bootId === '' ? node.id : null",
      },
    ],
    secondLine: 'F1: nobody is left at the other end of it',
  },
  {
    rule: 'F5',
    breaks: 'an operator ends another boot than the one that was shown',
    edits: [
      {
        file: 'worker/core/fence-requests.ts',
        find: '  if (node.bootId !== r.boot)\n',
        replace: "  if (node.bootId !== r.boot && r.boot === '')\n",
      },
      OVER_WHATEVER_BOOT,
    ],
  },
  {
    rule: 'D3',
    breaks: 'a wait ends the ownership of a node that may run on (policy fence)',
    edits: [
      {
        file: 'worker/core/membership-manager.ts',
        find: "  if (node.under === 'fence') return\n",
        replace: '',
      },
      {
        file: 'worker/loss-watch.ts',
        find: 'if (session?.up !== 1 || session.underFence === 1) return',
        replace: 'if (session?.up !== 1) return',
      },
    ],
  },
  {
    rule: 'C4',
    breaks: 'a node is told to run on before the hive has it that it may (policy fence)',
    edits: [
      {
        file: 'worker/core/membership-manager.ts',
        find: "    ...(draft.cluster?.takeover === 'fence' && { under: 'fence' as const }),\n",
        replace: '',
      },
    ],
  },
  {
    rule: 'G9',
    breaks: 'the hive hears that a node is bound by its leases before the node is',
    edits: [
      {
        file: 'probe/core/guard-policy.ts',
        find: '    return nothing({ ...state, wanted: told })\n',
        replace:
          "    return {\n      state: { ...state, wanted: told },\n      effects: [{ type: 'toAgent', frame: { t: 'policyTaken', number: told.number } }],\n    }\n",
      },
    ],
  },
  {
    rule: 'D3',
    breaks: 'the acknowledgement of an earlier change of the policy counts for the latest',
    edits: [
      {
        file: 'worker/core/fencing.ts',
        find: "if (node?.under !== 'fence' || takeover !== 'lease' || event.number !== policyNumber) return",
        replace:
          "if (node?.under !== 'fence' || takeover !== 'lease' || event.number < policyNumber - 9) return",
      },
    ],
  },
]
