/** Refusals between a host and its cluster, and of the commands on a host. */
import type { ErrorEntry } from './error-entry.ts'

export const HOST_ERRORS = {
  BAD_FRAME: {
    http: 400,
    exit: 1,
    title: 'A frame of a session is not understood',
    cause:
      'A host sent something that is not JSON, too large, unknown, or not in its place. The session is closed and nothing is changed; the probe opens a new one.',
    remedy: 'Nothing, if it does not come again; else update the probe and report it.',
  },
  PROTOCOL_MISMATCH: {
    http: 409,
    exit: 1,
    title: 'Probe and control plane speak different protocols',
    cause: 'One of both is older than the other. The probe goes on trying.',
    remedy: 'Update the side that the error names.',
  },
  ATTEMPT_USED: {
    http: 409,
    exit: 7,
    title: 'A request to connect was used before',
    cause:
      'Requests to connect are numbered so that a copy of one is worthless. A host that lost its count, or whose clock was set back, begins too low.',
    remedy: 'Nothing: the probe learns the last number and goes on from there.',
  },
  NOT_A_MEMBER: {
    http: 403,
    exit: 6,
    title: 'The host is not a member of the cluster',
    cause:
      'The node was removed from the cluster, or has left. A probe that hears this for a minute ends with exit code 6, after everything has been stopped.',
    remedy: 'Have it forget the cluster (`holdfast-probe leave --force`) and join it anew.',
  },
  WRONG_KEY: {
    http: 403,
    exit: 6,
    title: 'Not the key of this node',
    cause:
      'The identity key on the host is not the one it joined with. A probe that hears this for a minute ends with exit code 6, after everything has been stopped.',
    remedy: 'Restore `identity.key`, or remove the node and join the host anew.',
  },
  IDENTITY_IN_USE: {
    http: 409,
    exit: 7,
    title: 'Another machine runs with this identity',
    cause:
      'The node is up with another guard than this one: a copied disk image, or a state folder that is used twice. The one that was there first is not disturbed. A host that has just been booted sees this for as long as its old lease may last; one that sees it for fifteen minutes ends with exit code 7.',
    remedy: 'On the copy: `holdfast-probe leave --force`, then join it under a name of its own.',
  },
  WAITS_FOR_FENCE: {
    http: 409,
    exit: 8,
    title: 'The boot before this one is not confirmed to be over',
    cause:
      'Under takeover policy `fence` nothing but a confirmed fence says that an earlier boot of a node has ended. This host was booted anew without one, or its guard lost its memory, so the cluster cannot tell it from a copy of it. The probe goes on trying.',
    remedy:
      'Nothing, if a fence agent is set up. Else, when the earlier boot is surely over: `holdfast fence confirm NODE`.',
  },
  BOOT_OVER: {
    http: 409,
    exit: 8,
    title: 'This boot was declared over',
    cause:
      'A fence agent or an operator said that this boot of the node had ended, so what it ran may run elsewhere by now. Everything has been stopped here, and this boot stays refused (rule F3).',
    remedy: 'Boot the host anew. If it was never off, see why somebody could say that it was.',
  },
  JOINED_ELSEWHERE: {
    http: 409,
    exit: 7,
    title: 'The host is a member of another cluster',
    cause: 'A host is a member of one cluster at a time, and it has joined another one before.',
    remedy:
      'Leave the other one first: `holdfast-probe leave`, or `holdfast-probe leave --force` if its control plane is gone.',
  },
  NO_SERVICE_MANAGER: {
    http: 409,
    exit: 3,
    title: 'systemd does not run this host',
    cause:
      'A unit was to be installed, and the first process of the host is not systemd. Without a service manager nobody brings a dead guard back (rule A6).',
    remedy:
      'Run `holdfast-probe run` under the service manager that there is; the error shows how.',
  },
  STATE_FOLDER: {
    http: 500,
    exit: 6,
    title: 'The state folder cannot be used',
    cause:
      'The folder does not exist, cannot be written, belongs to another user, may be written by others, or what is in it is damaged.',
    remedy: 'Correct what the error names; the folder belongs to root and has mode 0700.',
  },
  ALREADY_RUNNING: {
    http: 409,
    exit: 7,
    title: 'Another one runs on this state folder',
    cause:
      'Two guards never run with one identity (rule G11), and two control planes never with one set of databases.',
    remedy: 'Stop the other one first, or use another folder.',
  },
  NOT_RUNNING: {
    http: 409,
    exit: 5,
    title: 'No guard runs here',
    cause: 'The command asks the guard of this host, and none answers.',
    remedy: 'Start it: `systemctl start holdfast-probe`, or `holdfast-probe run`.',
  },
  NOT_JOINED: {
    http: 409,
    exit: 5,
    title: 'This host has not joined a cluster',
    cause: 'There is no identity in the state folder.',
    remedy: 'Join it: `holdfast-probe join --url URL`, with a token from `holdfast token create`.',
  },
  NOT_HELD: {
    http: 409,
    exit: 5,
    title: 'The resource is not of this host',
    cause: 'A resource was to be stopped here, and its group is not owned by this host.',
    remedy: 'Ask on the host that owns it (`holdfast status`), or use `holdfast offline`.',
  },
  PORT_TAKEN: {
    http: 409,
    exit: 7,
    title: 'The port is taken',
    cause: 'Another program listens on the port that the control plane was told to use.',
    remedy: 'Choose another one with --port, or stop the other program.',
  },
} as const satisfies Record<string, ErrorEntry>
