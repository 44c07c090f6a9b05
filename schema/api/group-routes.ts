/** The part of the HTTP API that is about groups, and the rules between them. */
import * as z from 'zod'
import * as b from './bodies.ts'
import * as p from './placement.ts'
import type { Route } from './route.ts'
import { whyQuery, whyView } from './why.ts'

export const groupRoutes = {
  listRules: {
    method: 'GET',
    path: '/v1/clusters/:cluster/rules',
    access: 'read',
    summary: 'Rules that keep groups apart or together',
    response: z.object({ rules: z.array(p.ruleView) }),
  },
  createRule: {
    method: 'POST',
    path: '/v1/clusters/:cluster/rules',
    access: 'admin',
    summary: 'Makes a rule; hard ones that contradict each other are refused',
    body: p.createRule,
    response: b.done,
  },
  deleteRule: {
    method: 'DELETE',
    path: '/v1/clusters/:cluster/rules/:rule',
    access: 'admin',
    summary: 'Removes a rule',
    response: b.done,
  },
  listGroups: {
    method: 'GET',
    path: '/v1/clusters/:cluster/groups',
    access: 'read',
    summary: 'All groups',
    response: z.object({ groups: z.array(b.groupView) }),
  },
  createGroup: {
    method: 'POST',
    path: '/v1/clusters/:cluster/groups',
    access: 'admin',
    summary: 'Makes an empty group',
    body: b.createGroup,
    response: b.done,
  },
  getGroup: {
    method: 'GET',
    path: '/v1/clusters/:cluster/groups/:group',
    access: 'read',
    summary: 'One group',
    response: b.groupView,
  },
  whyGroup: {
    method: 'GET',
    path: '/v1/clusters/:cluster/groups/:group/why',
    access: 'read',
    summary: 'Why it is as it is: verdict, evidence, every node with its reason, what to do',
    query: whyQuery,
    response: whyView,
  },
  changeGroup: {
    method: 'PATCH',
    path: '/v1/clusters/:cluster/groups/:group',
    access: 'admin',
    summary: 'Changes name or settings',
    body: b.changeGroup,
    response: b.done,
  },
  deleteGroup: {
    method: 'DELETE',
    path: '/v1/clusters/:cluster/groups/:group',
    access: 'admin',
    summary: 'Removes an empty group',
    response: b.done,
  },
  unstickGroup: {
    method: 'DELETE',
    path: '/v1/clusters/:cluster/groups/:group/stick',
    access: 'operate',
    summary: 'It need not stay where it was moved to any more',
    response: b.done,
  },
} as const satisfies Record<string, Route>
