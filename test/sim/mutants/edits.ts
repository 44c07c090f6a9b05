/** Changes of the code that more than one mutant is made of. */
import type { Edit } from '../production.ts'

export const LAPSE_LEAVES_GRANTS: Edit = {
  file: 'probe/core/guard-stops.ts',
  find: '    leases: NO_LEASES,\n    grants: [],\n    session: null,',
  replace: '    leases: NO_LEASES,\n    session: null,',
}

export const TAKES_ANY_REPORT: Edit = {
  file: 'worker/core/membership-manager.ts',
  find: "if (foreign || (node.state === 'down' && event.held.length > 0)) {",
  replace: "if (foreign && node.state === 'down' && event.held.length > 99) {",
}

export const GRANTS_AGAIN: Edit = {
  file: 'probe/core/guard.ts',
  find: 'if (seen !== undefined && epoch <= seen) return deny',
  replace: 'if (seen !== undefined && epoch < 0) return deny',
}

/** What is said of an earlier boot closes the sockets of the one of now. */
export const OVER_WHATEVER_BOOT: Edit = {
  file: 'worker/core/fencing.ts',
  find: "return node && node.state !== 'down' && node.bootId === said.boot ? node.id : null",
  replace: "return node && node.state !== 'down' ? node.id : null",
}
