/**
 * Every refusal there is: one catalogue for API, CLI, probe and docs (`docs/errors/` is made from
 * it). `http` is the status of the API, `exit` the exit code of the command, `cause` says when it
 * happens and `remedy` what to do in general; the error itself says it for the case at hand.
 */
import { ACCOUNT_ERRORS } from './error-catalogue-accounts.ts'
import { HOST_ERRORS } from './error-catalogue-hosts.ts'
import { WRITE_ERRORS } from './error-catalogue-writes.ts'
import type { ErrorEntry } from './error-entry.ts'

export const ERRORS = {
  BAD_REQUEST: {
    http: 400,
    exit: 2,
    title: 'The request is not well-formed',
    cause:
      'A body, query or command line does not fit its schema: a field is missing, unknown, ill-typed or out of bounds, or a name holds characters that names may not have.',
    remedy: 'Correct the places that the error names. `holdfast explain FIELD` shows what fits.',
  },
  BAD_PROPERTY: {
    http: 400,
    exit: 2,
    title: 'A property is missing or ill-typed',
    cause: 'The properties of a resource do not fit the schema of its type.',
    remedy: 'See `holdfast explain TYPE` or `holdfast describe type TYPE` for what it takes.',
  },
  BAD_SETTING: {
    http: 400,
    exit: 2,
    title: 'A setting that cannot be',
    cause:
      'A change of the settings of a resource contradicts itself or what is there, or what is there cannot be read: two disks with one target, a boot device that there is none of, XML that is not well-formed.',
    remedy: 'Correct what the error names. `holdfast vm settings NAME` shows what there is.',
  },
  NO_MANAGEMENT_EXTENSION: {
    http: 404,
    exit: 5,
    title: 'The type has no management extension',
    cause:
      'A management extension reads and changes the settings of a resource type by name. This type has none, or it was left out when the control plane was built. The resource itself is not affected.',
    remedy: 'Change its properties as they are: `holdfast resource change NAME --prop KEY=VALUE`.',
  },
  CHANGED_MEANWHILE: {
    http: 409,
    exit: 7,
    title: 'It has been changed since it was read',
    cause:
      'A change was made from an earlier state, and somebody else has made another one since. Carried out, it would undo that one.',
    remedy: 'Read it again, and repeat the change from there.',
  },
  PLAN_STALE: {
    http: 409,
    exit: 7,
    title: 'The plan is stale',
    cause:
      'A configuration was to be applied by a plan that was made from another state of the cluster: meanwhile the configuration was changed, a group has moved, or a node is up, down or paused that was not.',
    remedy: 'Plan again, look at what would happen now, and apply that plan.',
  },
  PLAN_STOPS_GROUP: {
    http: 409,
    exit: 8,
    title: 'The plan would stop what runs, with nowhere to go',
    cause:
      'Applied, the configuration would take a group from its node, and no node could take it then. The error says why for each.',
    remedy:
      'Change the configuration so that a node can have it. `--force` applies it all the same; to take a group offline on purpose, say `state: offline`.',
  },
  RULES_CONTRADICT: {
    http: 409,
    exit: 7,
    title: 'Two hard rules cannot hold together',
    cause:
      'A hard rule was to be made that keeps groups apart which other hard rules keep together, directly or by way of others, or the other way round.',
    remedy: 'Remove one of the rules that the error names, or make one of them soft.',
  },
  RULE_FORBIDS: {
    http: 409,
    exit: 8,
    title: 'A hard rule forbids it',
    cause:
      'A group was to be moved to a node where a hard rule does not let it be: another group that it is kept apart from is there, those that it is kept together with cannot go there, or there is no room for it.',
    remedy:
      'Move it to a node that the error names, or move the other group first. `holdfast rule list` shows the rules.',
  },
  UNKNOWN_TYPE: {
    http: 400,
    exit: 2,
    title: 'No such resource type',
    cause: 'No module of that type is known to the control plane.',
    remedy:
      'List the types with `holdfast resource types`; a program without a type of its own can be kept as `process` or `script`.',
  },
  BAD_MODULE: {
    http: 400,
    exit: 2,
    title: 'A module file cannot be used',
    cause:
      'It does not export what a resource module has to, its manifest is not well-formed, it throws while it is imported, or it is not the file that was registered.',
    remedy: 'Correct it; `holdfast-probe module certify FILE` shows what does not fit.',
  },
  CONTROL_FAILED: {
    http: 502,
    exit: 1,
    title: 'A control code has failed',
    cause: 'The module of the resource, on the node that runs it, could not do or answer it.',
    remedy: 'The reason is in the error; `holdfast log --resource NAME` has more.',
  },
  TYPE_CONFLICT: {
    http: 409,
    exit: 7,
    title: 'A resource type cannot be registered like this',
    cause:
      'Another file is registered under that type and version, the name is one of a type that comes with the probe, or resources there are would not fit it.',
    remedy: 'Give the changed file a new version, or another name.',
  },
  DEPENDENCY_CYCLE: {
    http: 409,
    exit: 8,
    title: 'The dependencies would form a cycle',
    cause:
      'With the dependency asked for, a resource or a group would have to be online before itself.',
    remedy: 'Leave out one of the dependencies along the cycle that the error names.',
  },
  GROUP_IN_USE: {
    http: 409,
    exit: 8,
    title: 'Other groups depend on the group',
    cause:
      'A group was to be deleted that others come online after, or are online only while it is. They would wait for it for ever.',
    remedy:
      'Change what those depend on first: `holdfast group change GROUP --after … --only-while …`.',
  },
  BAD_EXPRESSION: {
    http: 400,
    exit: 2,
    title: 'The expression of dependencies cannot be read',
    cause:
      'What a resource depends on was given as an expression that is not well-formed: a name or parenthesis is missing, "and" and "or" stand in one row without parentheses, or it says too much.',
    remedy:
      'Write names joined by "and" or "or", with parentheses where both are used: (a or b) and c.',
  },
  BAD_DEPENDENCY: {
    http: 400,
    exit: 2,
    title: 'A dependency that cannot be',
    cause: 'A resource depends on itself, or on one of another group.',
    remedy: 'Depend on resources of the same group; move the other one into it if need be.',
  },
  NAME_TAKEN: {
    http: 409,
    exit: 7,
    title: 'The name is taken',
    cause:
      'Something of the same kind has this name, or one that cannot be told from it at a glance: names are compared without regard to case, and 0 and o, 1 and l count as the same.',
    remedy: 'Choose another name.',
  },
  NOT_FOUND: {
    http: 404,
    exit: 5,
    title: 'Not found',
    cause: 'Nothing has this name or GUID, or the path does not exist.',
    remedy: 'List what there is with `holdfast status`.',
  },
  UNAUTHENTICATED: {
    http: 401,
    exit: 6,
    title: 'No valid API key or session',
    cause:
      'The request has no API key and no session, or one that is not known, has expired or was revoked; or an address and password do not fit.',
    remedy: 'Set HOLDFAST_API_KEY, or log in: `holdfast login`.',
  },
  FORBIDDEN: {
    http: 403,
    exit: 6,
    title: 'The key or person may not do this',
    cause:
      'The API key or session is valid, and what it may do does not include what this needs: `read` looks, `operate` runs what is configured, `admin` configures.',
    remedy:
      'Use a key with the scope that the error names, or have an admin of the organisation change your role. Keys are made with `holdfast key create`, roles changed with `holdfast member role`; `holdfast whoami` shows what you may do.',
  },
  KEY_IN_USE: {
    http: 409,
    exit: 8,
    title: 'A key cannot revoke itself',
    cause:
      'The key that was to be revoked is the one that the request was made with. It may be the last one that can make keys.',
    remedy: 'Revoke it with another admin key, or replace its secret with `holdfast key rotate`.',
  },
  TOKEN_INVALID: {
    http: 403,
    exit: 6,
    title: 'The token is not valid',
    cause:
      'A join token, an invitation, the owner link or a token from a mail is unknown, has expired, was taken back, or has been used as often as it may be.',
    remedy:
      'Ask for a new one. Join tokens are made with `holdfast token create`, invitations with `holdfast member invite`.',
  },
  NODE_DOWN: {
    http: 409,
    exit: 8,
    title: 'The node is not up',
    cause: 'Something was asked of a node that is Down.',
    remedy: 'Choose another node, or bring this one back; `holdfast why NODE` says why it is Down.',
  },
  NODE_PAUSED: {
    http: 409,
    exit: 8,
    title: 'The node is paused',
    cause: 'A paused node keeps what it runs and takes nothing new.',
    remedy: 'End the pause with `holdfast node resume NODE`, or choose another node.',
  },
  NODE_LEAVING: {
    http: 409,
    exit: 8,
    title: 'The node is shutting down',
    cause: 'Its host shuts down in an orderly way and hands its groups over.',
    remedy: 'Choose another node, or wait until it is back.',
  },
  NODE_NOT_DOWN: {
    http: 409,
    exit: 8,
    title: 'The node is not Down yet',
    cause:
      'A node is to be removed as lost, and it has not been declared Down. Until its lease has surely ended it may still run what it owns (rule D3).',
    remedy:
      'Wait: it is declared Down by itself once its lease has ended (`holdfast wait NODE --for down`). A node that is connected is not lost: move its groups away and remove it without --lost.',
  },
  FENCE_CONFLICT: {
    http: 409,
    exit: 7,
    title: 'The statement is about something that has changed',
    cause:
      'A boot of a node was confirmed to be over, and the cluster knows the node by another boot, or in another view, by now (rule F5). The host has come back, or was never the one that was looked at.',
    remedy: 'Look again: `holdfast fence list` shows the boot of now. Confirm only what is off.',
  },
  FENCE_CONNECTED: {
    http: 409,
    exit: 8,
    title: 'The node is connected',
    cause:
      'A boot was to be confirmed as over, and the node is connected: its host runs. What an operator confirms is believed, so a mistake here would let two hosts run one group.',
    remedy:
      'Nothing has to be confirmed for a node that is connected. If its host has just died, wait until its session is lost, then confirm.',
  },
  FENCE_NOT_SET: {
    http: 409,
    exit: 8,
    title: 'No fence agent is set up for the node',
    cause: 'A fence agent was to be tried or removed, and the node has none.',
    remedy: 'Set one up: `holdfast fence add NODE --agent NAME`.',
  },
  FENCE_NO_HELPER: {
    http: 409,
    exit: 8,
    title: 'No node can run the fence agent',
    cause:
      'A fence agent runs on another node than the one it is for, and none that may do it is up and connected.',
    remedy: 'Bring another node up, or widen the helpers: `holdfast fence add NODE … --helpers`.',
  },
  NOT_POSSIBLE_OWNER: {
    http: 409,
    exit: 8,
    title: 'The node may not own the group',
    cause: 'A resource of the group has possible owners, and the node is not one of them.',
    remedy: 'Choose another node, or widen the possible owners of that resource.',
  },
  NO_PREFERRED_OWNER: {
    http: 409,
    exit: 8,
    title: 'The group prefers no node',
    cause: 'A group goes back to the first of its preferred owners, and this one has none.',
    remedy: '`holdfast group change GROUP --preferred-owners NODE,…`',
  },
  NOT_OWNED: {
    http: 409,
    exit: 8,
    title: 'The group is on no node',
    cause: 'Only what a node has can be taken from it.',
    remedy: '`holdfast why GROUP` says what keeps it from coming up.',
  },
  METHOD_NOT_POSSIBLE: {
    http: 409,
    exit: 8,
    title: 'The group cannot move in that way',
    cause:
      'A live move takes a group with one virtual machine that is online and nothing else that is wanted; ' +
      'a quick move takes a virtual machine with a folder that all hosts share.',
    remedy: 'Let the method be chosen: `holdfast move GROUP --method auto`, or stop and start it.',
  },
  NO_ELIGIBLE_NODE: {
    http: 409,
    exit: 8,
    title: 'No node can take the group',
    cause: 'Every node is down, paused, not a possible owner, or lacks a module.',
    remedy: '`holdfast why GROUP` names the reason for each node.',
  },
  NODE_OWNS_GROUPS: {
    http: 409,
    exit: 8,
    title: 'The node still owns groups',
    cause: 'A node that is removed is told nothing more, so what it runs could not be stopped.',
    remedy: 'Move its groups away first, or have its host leave: `holdfast-probe leave`.',
  },
  GROUP_BUSY: {
    http: 409,
    exit: 7,
    title: 'The group is being moved or stopped',
    cause: 'An earlier move, failover or deletion of the group is not over.',
    remedy: 'Wait until it is (`holdfast wait GROUP --for stable`), then ask again.',
  },
  GROUP_NOT_EMPTY: {
    http: 409,
    exit: 8,
    title: 'The group still has resources',
    cause: 'Only an empty group can be deleted.',
    remedy: 'Delete its resources first.',
  },
  GROUP_ONLINE: {
    http: 409,
    exit: 8,
    title: 'The group or resource is wanted online',
    cause: 'What is wanted online is not deleted.',
    remedy: 'Take it offline first: `holdfast offline NAME`.',
  },
  ALREADY_THERE: {
    http: 409,
    exit: 7,
    title: 'The group is already there',
    cause: 'A group was to be moved to the node that owns it.',
    remedy: 'Nothing has to be done.',
  },
  OPERATION_OVER: {
    http: 409,
    exit: 7,
    title: 'The operation is over',
    cause:
      'An operation was to be cancelled that has ended: there is nothing left of it to take back.',
    remedy:
      'See how it ended with `holdfast operation show ID`, and ask for the opposite: a move back, a resume.',
  },
  NOT_CANCELLABLE: {
    http: 409,
    exit: 8,
    title: 'The operation cannot be taken back',
    cause:
      'An operation was to be cancelled at a point from which there is no way back but forward: a failover, a virtual machine whose state is travelling, or a group whose old place cannot have it any more.',
    remedy: 'Wait for its end, then ask for the opposite: `holdfast move GROUP --to NODE`.',
  },
  RESOURCE_IN_USE: {
    http: 409,
    exit: 8,
    title: 'It is in use',
    cause:
      'A resource is not deleted while others depend on it, and a type is not unregistered while there are resources of it.',
    remedy: 'Change the dependencies first, or delete what uses it.',
  },
  LIMIT_REACHED: {
    http: 409,
    exit: 8,
    title: 'A limit of the cluster is reached',
    cause: 'Every list has a bound, and this one is full.',
    remedy: 'Remove what is no longer used, or form another cluster.',
  },
  TOO_LARGE: {
    http: 413,
    exit: 2,
    title: 'The body is too large',
    cause: 'A request body is above the limit, which the error names.',
    remedy: 'Send less at once; a domain XML goes without its comments.',
  },
  UNAVAILABLE: {
    http: 503,
    exit: 1,
    title: 'The control plane cannot answer now',
    cause:
      'The control plane, or its database of accounts, is not reachable. Nothing was changed that the answer does not say; running groups are not touched.',
    remedy: 'Try again; check the address and the network if it stays.',
  },
  INTERNAL: {
    http: 500,
    exit: 1,
    title: 'A fault of ours',
    cause: 'Something happened that must not.',
    remedy: 'Report it with the request id.',
  },
  ...ACCOUNT_ERRORS,
  ...WRITE_ERRORS,
  ...HOST_ERRORS,
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof ERRORS
