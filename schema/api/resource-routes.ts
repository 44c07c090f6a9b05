/** The part of the HTTP API that is about resources. */
import * as z from 'zod'
import * as b from './bodies.ts'
import * as m from './management.ts'
import type { Route } from './route.ts'
import * as t from './types.ts'
import { whyQuery, whyView } from './why.ts'

export const resourceRoutes = {
  listResources: {
    method: 'GET',
    path: '/v1/clusters/:cluster/resources',
    access: 'read',
    summary: 'All resources',
    response: z.object({ resources: z.array(b.resourceView) }),
  },
  createResource: {
    method: 'POST',
    path: '/v1/clusters/:cluster/resources',
    access: 'admin',
    summary: 'Adds a resource to a group',
    body: b.createResource,
    response: b.done,
  },
  getResource: {
    method: 'GET',
    path: '/v1/clusters/:cluster/resources/:resource',
    access: 'read',
    summary: 'One resource',
    response: b.resourceView,
  },
  whyResource: {
    method: 'GET',
    path: '/v1/clusters/:cluster/resources/:resource/why',
    access: 'read',
    summary: 'Why it is as it is: verdict, evidence, every node with its reason, what to do',
    query: whyQuery,
    response: whyView,
  },
  getEvidence: {
    method: 'GET',
    path: '/v1/clusters/:cluster/resources/:resource/evidence',
    access: 'read',
    summary: 'How its module took a resource monitor along, with the last calls before that',
    response: b.evidenceView,
  },
  controlResource: {
    method: 'POST',
    noDryRun: 'It is handed to the module of the resource.',
    path: '/v1/clusters/:cluster/resources/:resource/control',
    access: 'operate',
    summary: 'A control code of its type, done or answered by its module where it runs',
    body: t.controlResource,
    response: t.controlled,
  },
  changeResource: {
    method: 'PATCH',
    path: '/v1/clusters/:cluster/resources/:resource',
    access: 'admin',
    summary: 'Changes name, properties, dependencies or policies',
    body: b.changeResource,
    response: b.done,
  },
  getSettings: {
    method: 'GET',
    path: '/v1/clusters/:cluster/resources/:resource/settings',
    access: 'read',
    summary: 'Its settings by the management extension of its type, and where what runs differs',
    response: m.settingsView,
  },
  changeSettings: {
    method: 'PATCH',
    noDryRun: 'Its body has a `dryRun` of its own, which tells more.',
    path: '/v1/clusters/:cluster/resources/:resource/settings',
    access: 'admin',
    summary: 'Changes some of its settings; dryRun: only says what would come of it',
    body: m.changeSettings,
    response: m.settingsChanged,
  },
  deleteResource: {
    method: 'DELETE',
    path: '/v1/clusters/:cluster/resources/:resource',
    access: 'admin',
    summary: 'Removes a resource that is wanted offline',
    response: b.done,
  },
} as const satisfies Record<string, Route>
