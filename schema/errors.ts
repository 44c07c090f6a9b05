/**
 * One catalogue of refusals, shared by API, CLI, probe and docs. Bugs throw plain errors; what a
 * user can act on is a `HoldfastError` with a code from here.
 */
export const ERRORS = {
  BAD_REQUEST: { http: 400, exit: 2, title: 'The request is not well-formed' },
  BAD_PROPERTY: { http: 400, exit: 2, title: 'A property is missing or ill-typed' },
  UNKNOWN_TYPE: { http: 400, exit: 2, title: 'No such resource type' },
  DEPENDENCY_CYCLE: { http: 409, exit: 8, title: 'The dependencies would form a cycle' },
  BAD_DEPENDENCY: { http: 400, exit: 2, title: 'A dependency that cannot be' },
  NAME_TAKEN: { http: 409, exit: 7, title: 'The name is taken' },
  NOT_FOUND: { http: 404, exit: 5, title: 'Not found' },
  UNAUTHENTICATED: { http: 401, exit: 6, title: 'No valid API key' },
  TOKEN_INVALID: { http: 403, exit: 6, title: 'The join token is not valid' },
  NODE_DOWN: { http: 409, exit: 8, title: 'The node is not up' },
  NODE_PAUSED: { http: 409, exit: 8, title: 'The node is paused' },
  NODE_LEAVING: { http: 409, exit: 8, title: 'The node is shutting down' },
  NOT_POSSIBLE_OWNER: { http: 409, exit: 8, title: 'The node may not own the group' },
  NO_ELIGIBLE_NODE: { http: 409, exit: 8, title: 'No node can take the group' },
  NODE_OWNS_GROUPS: { http: 409, exit: 8, title: 'The node still owns groups' },
  GROUP_BUSY: { http: 409, exit: 7, title: 'The group is being moved or stopped' },
  GROUP_NOT_EMPTY: { http: 409, exit: 8, title: 'The group still has resources' },
  GROUP_ONLINE: { http: 409, exit: 8, title: 'The group or resource is wanted online' },
  ALREADY_THERE: { http: 409, exit: 7, title: 'The group is already there' },
  RESOURCE_IN_USE: { http: 409, exit: 8, title: 'Other resources depend on it' },
  LIMIT_REACHED: { http: 409, exit: 8, title: 'A limit of the cluster is reached' },
  TOO_LARGE: { http: 413, exit: 2, title: 'The body is too large' },
  UNAVAILABLE: { http: 503, exit: 1, title: 'The control plane cannot answer now' },
  INTERNAL: { http: 500, exit: 1, title: 'A fault of ours' },
  HOST_POLICY: { http: 409, exit: 8, title: 'The host policy does not allow it' },
  STATE_FOLDER: { http: 500, exit: 1, title: 'The state folder cannot be used' },
  ALREADY_RUNNING: { http: 409, exit: 7, title: 'Another guard runs on this state folder' },
  NOT_JOINED: { http: 409, exit: 5, title: 'This host has not joined a cluster' },
} as const satisfies Record<string, { http: number; exit: number; title: string }>
export type ErrorCode = keyof typeof ERRORS

/** What happened (`message`), the evidence (`why`), what to do (`remedy`). */
export interface Refusal {
  code: ErrorCode
  message: string
  why?: string
  remedy?: string
  /** Id of the request at the control plane, by which its logs can be found. */
  request?: string
  /** JSON pointers into the request, where it is at fault. */
  errors?: { pointer: string; message: string }[]
}

export class HoldfastError extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal, options?: ErrorOptions) {
    super(refusal.message, options)
    this.name = 'HoldfastError'
    this.refusal = refusal
  }
}
