/** Changes of the code that more than one mutant is made of. */
import type { Edit } from '../../../sim/world/production.ts'

export const LAPSE_LEAVES_GRANTS: Edit = {
  file: 'probe/core/guard-stops.ts',
  find: '    leases: NO_LEASES,\n    grants: [],\n',
  replace: '    leases: NO_LEASES,\n',
}

export const TAKES_ANY_REPORT: Edit = {
  file: 'worker/core/membership-manager.ts',
  find: "if (foreign || (node.state === 'down' && event.held.length > 0)) {",
  replace: "if (foreign && node.state === 'down' && event.held.length > 99) {",
}

export const GATE_LOOKS_AT_NOTHING: Edit = {
  file: 'probe/core/guard-starts.ts',
  find: '  const reason = whyNot(state, { ...record, requestId: 0 }, nowMs)\n  if (reason) return no(reason)\n',
  replace: '  void nowMs\n',
}

/** The look right before something starts. */
export const NO_LAST_LOOK: Edit = {
  file: 'probe/core/guard.ts',
  find: "state.policy.takeover === 'fence' || mayStart(state.leases, state.timing, nowMs)",
  replace: 'nowMs > 0 || mayStart(state.leases, state.timing, nowMs)',
}

export const GRANTS_AGAIN: Edit = {
  file: 'probe/core/guard.ts',
  find: 'if (seen !== undefined && epoch <= seen) return deny',
  replace: 'if (seen !== undefined && epoch < 0) return deny',
}

export const OLDER_SOCKETS_STAY: Edit = {
  file: 'worker/welcome.ts',
  find: "    sockets.attach(ws, { ...older, phase: 'challenged' })\n    sockets.close(ws, CLOSE.superseded, { code: 'superseded', detail: 'a newer session' })\n",
  replace: '',
}

export const OLDER_REPORTS: readonly Edit[] = [
  {
    file: 'worker/node-inbox.ts',
    find: '    if (sockets.hasNewer(a)) {',
    replace: '    if (sockets.hasNewer(a) && a.session < 0) {',
  },
  {
    file: 'worker/core/membership-manager.ts',
    find: '  if (session <= node.session) return\n',
    replace: '',
  },
]

/** What is said of an earlier boot closes the sockets of the one of now. */
export const OVER_WHATEVER_BOOT: Edit = {
  file: 'worker/core/fencing.ts',
  find: "return node && node.state !== 'down' && node.bootId === said.boot ? node.id : null",
  replace: "return node && node.state !== 'down' ? node.id : null",
}
