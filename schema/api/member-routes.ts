/** The part of the HTTP API about who belongs to the organisation. */
import * as z from 'zod'
import * as m from './members.ts'
import type { Route } from './route.ts'

export const memberRoutes = {
  listMembers: {
    method: 'GET',
    path: '/v1/members',
    access: 'read',
    summary: 'Members of the organisation, and what each may do',
    response: z.object({ members: z.array(m.memberView) }),
  },
  changeMember: {
    method: 'PATCH',
    path: '/v1/members/:member',
    access: 'admin',
    summary: 'What a member is and may do from now on; of owners, by owners alone',
    body: m.changeMember,
    response: m.memberChanged,
  },
  removeMember: {
    method: 'DELETE',
    path: '/v1/members/:member',
    access: 'admin',
    summary: 'Somebody is no member any more, from this moment on; owners, by owners alone',
    response: m.memberChanged,
  },
  listInvitations: {
    method: 'GET',
    path: '/v1/invitations',
    access: 'admin',
    summary: 'Invitations that can still be accepted; never their tokens',
    response: z.object({ invitations: z.array(m.invitationView) }),
  },
  inviteMember: {
    method: 'POST',
    path: '/v1/invitations',
    access: 'admin',
    summary: 'Invites an address; one before, to the same, is good no longer',
    body: m.inviteMember,
    response: m.invited,
  },
  revokeInvitation: {
    method: 'DELETE',
    path: '/v1/invitations/:invitation',
    access: 'admin',
    summary: 'Takes an invitation back',
    response: m.memberChanged,
  },
} as const satisfies Record<string, Route>
