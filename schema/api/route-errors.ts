/** What a call may be refused with: what every one of its kind may be, and what is its own. */
import { ERRORS, type ErrorCode } from '../errors.ts'
import type { Route } from './route.ts'
import { type RouteName, routes } from './routes.ts'

/** Whether a route changes something, or has hosts do something. A join is one and the same for each host. */
export const writes = (name: RouteName): boolean => {
  const { method, access } = routes[name]
  return method !== 'GET' && (access === 'operate' || access === 'admin')
}

/** Whether it may come with an Idempotency-Key: whoever asks is known, and something is changed. */
export const takesIdempotencyKey = (name: RouteName): boolean =>
  writes(name) || (routes[name].access === 'person' && routes[name].method !== 'GET')

const OF_GROUP = ['NAME_TAKEN', 'LIMIT_REACHED', 'DEPENDENCY_CYCLE', 'GROUP_BUSY'] as const
const OF_RESOURCE = [
  ...(['NAME_TAKEN', 'LIMIT_REACHED', 'BAD_PROPERTY', 'BAD_EXPRESSION'] as const),
  ...(['BAD_DEPENDENCY', 'DEPENDENCY_CYCLE', 'GROUP_BUSY', 'UNKNOWN_TYPE'] as const),
]
const OF_MOVE = [
  ...(['ALREADY_THERE', 'GROUP_BUSY', 'METHOD_NOT_POSSIBLE', 'NODE_DOWN', 'NODE_LEAVING'] as const),
  ...(['NODE_PAUSED', 'NOT_POSSIBLE_OWNER', 'NO_ELIGIBLE_NODE', 'RULE_FORBIDS'] as const),
]
const OF_CONFIG = [
  ...(['BAD_DEPENDENCY', 'BAD_EXPRESSION', 'BAD_PROPERTY', 'DEPENDENCY_CYCLE'] as const),
  ...(['GROUP_BUSY', 'GROUP_IN_USE', 'GROUP_NOT_EMPTY', 'GROUP_ONLINE', 'LIMIT_REACHED'] as const),
  ...(['NAME_TAKEN', 'RESOURCE_IN_USE', 'RULES_CONTRADICT', 'UNKNOWN_TYPE'] as const),
]
const OF_CONTROL = ['CONTROL_FAILED', 'NODE_DOWN'] as const

/** By route; what is not here has none of its own. */
const OWN: { readonly [N in RouteName]?: readonly ErrorCode[] } = {
  createCluster: ['NAME_TAKEN', 'QUOTA_REACHED'],
  restoreCluster: ['BACKUP_UNREADABLE', 'NAME_TAKEN', 'QUOTA_REACHED'],
  join: ['TOKEN_INVALID', 'JOINED_ELSEWHERE', 'NAME_TAKEN', 'LIMIT_REACHED', 'QUOTA_REACHED'],
  signUp: ['SIGN_UP_CLOSED'],
  register: ['TOKEN_INVALID', 'SIGN_UP_CLOSED', 'ACCOUNT_EXISTS'],
  logIn: ['UNAUTHENTICATED', 'SECOND_FACTOR_NEEDED'],
  beginOidc: ['NOT_FOUND'],
  finishOidc: ['NOT_FOUND', 'UNAUTHENTICATED', 'SIGN_UP_CLOSED'],
  beginSecondFactor: ['SECOND_FACTOR_THERE'],
  confirmSecondFactor: ['SECOND_FACTOR_THERE'],
  resetPassword: ['TOKEN_INVALID'],
  decideDevice: ['TOKEN_INVALID'],
  createOrganisation: ['SIGN_UP_CLOSED', 'NAME_TAKEN', 'LIMIT_REACHED'],
  acceptInvitation: ['TOKEN_INVALID', 'ALREADY_MEMBER', 'LIMIT_REACHED'],
  changeMember: ['LAST_OWNER'],
  removeMember: ['LAST_OWNER'],
  deleteCluster: ['CLUSTER_IN_USE'],
  deleteOrganisation: ['ORGANISATION_IN_USE'],
  inviteMember: ['ALREADY_MEMBER', 'LIMIT_REACHED'],
  createKey: ['NAME_TAKEN', 'LIMIT_REACHED'],
  revokeKey: ['KEY_IN_USE'],
  createWebhook: ['NAME_TAKEN', 'LIMIT_REACHED', 'WEBHOOK_TARGET_REFUSED'],
  changeWebhook: ['WEBHOOK_TARGET_REFUSED'],
  replayWebhook: ['WEBHOOK_OFF'],
  evictNode: ['NODE_NOT_DOWN', 'NODE_OWNS_GROUPS'],
  confirmFence: ['FENCE_CONFLICT', 'FENCE_CONNECTED'],
  testFence: ['FENCE_NOT_SET', 'FENCE_NO_HELPER'],
  startMaintenance: ['LIMIT_REACHED'],
  simulate: [...OF_MOVE, 'NOT_OWNED'],
  planConfig: OF_CONFIG,
  applyConfig: [...OF_CONFIG, 'QUOTA_REACHED', 'PLAN_STALE', 'PLAN_STOPS_GROUP'],
  createRule: ['NAME_TAKEN', 'LIMIT_REACHED', 'RULES_CONTRADICT'],
  createGroup: [...OF_GROUP, 'QUOTA_REACHED'],
  changeGroup: OF_GROUP,
  deleteGroup: ['GROUP_NOT_EMPTY', 'GROUP_IN_USE', 'GROUP_BUSY'],
  moveGroup: OF_MOVE,
  failbackGroup: ['NO_PREFERRED_OWNER', 'ALREADY_THERE', 'NO_ELIGIBLE_NODE', 'GROUP_BUSY'],
  failoverGroup: ['NOT_OWNED', 'NO_ELIGIBLE_NODE', 'GROUP_BUSY'],
  cancelOperation: ['NOT_CANCELLABLE', 'OPERATION_OVER'],
  createResource: [...OF_RESOURCE, 'QUOTA_REACHED'],
  changeResource: OF_RESOURCE,
  deleteResource: ['RESOURCE_IN_USE', 'GROUP_ONLINE', 'GROUP_BUSY'],
  controlResource: OF_CONTROL,
  getSettings: ['NO_MANAGEMENT_EXTENSION', 'BAD_SETTING'],
  changeSettings: [
    ...(['NO_MANAGEMENT_EXTENSION', 'BAD_SETTING', 'CHANGED_MEANWHILE'] as const),
    ...(['BAD_PROPERTY', 'BAD_DEPENDENCY', 'DEPENDENCY_CYCLE', 'UNKNOWN_TYPE'] as const),
  ],
}

/** Whether it is committed in the object of a cluster: there it may ask for a version of the hive. */
export const writesHive = (name: RouteName): boolean => {
  const { path, ofAccounts }: Route = routes[name]
  return writes(name) && path.includes(':cluster') && !ofAccounts
}

/** Codes that an answer of the route may have, by status and then by name. */
export function errorsOf(name: RouteName): ErrorCode[] {
  const route: Route = routes[name]
  const { access, path, body, query } = route
  const isOpen = access === 'anyone' || access === 'joinToken'
  const codes: ErrorCode[] = [...(OWN[name] ?? []), 'INTERNAL', 'UNAVAILABLE', 'RATE_LIMITED']
  // Also where any key will do: a person may belong to no organisation.
  if (!isOpen) codes.push('UNAUTHENTICATED', 'FORBIDDEN')
  if (path.includes(':') || (body && !isOpen)) codes.push('NOT_FOUND')
  if (body || query || takesIdempotencyKey(name)) codes.push('BAD_REQUEST')
  if (body) codes.push('TOO_LARGE')
  if (writesHive(name)) codes.push('PRECONDITION_FAILED')
  if (takesIdempotencyKey(name)) codes.push('IDEMPOTENCY_KEY_IN_USE', 'IDEMPOTENCY_KEY_REUSED')
  const order = (a: ErrorCode, b: ErrorCode) => ERRORS[a].http - ERRORS[b].http || (a < b ? -1 : 1)
  return [...new Set(codes)].sort(order)
}
