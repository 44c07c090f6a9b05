/** The part of the HTTP API that is about who asks: API keys of the organisation. */
import * as z from 'zod'
import * as k from './keys.ts'
import type { Route } from './route.ts'

export const keyRoutes = {
  whoami: {
    method: 'GET',
    path: '/v1/whoami',
    access: 'anyKey',
    summary: 'The key or person that asks: name, organisation and what it may do',
    response: k.whoami,
  },
  listKeys: {
    method: 'GET',
    path: '/v1/keys',
    access: 'admin',
    summary: 'API keys of the organisation; never their secrets',
    response: z.object({ keys: z.array(k.keyView) }),
  },
  createKey: {
    method: 'POST',
    path: '/v1/keys',
    access: 'admin',
    summary: 'Makes an API key; its secret is shown this once',
    body: k.createKey,
    response: k.keyCreated,
  },
  rotateKey: {
    method: 'POST',
    path: '/v1/keys/:key/rotate',
    access: 'admin',
    summary: 'A new secret for a key; the one before is valid for a while yet',
    body: k.rotateKey,
    response: k.keyRotated,
  },
  revokeKey: {
    method: 'DELETE',
    path: '/v1/keys/:key',
    access: 'admin',
    summary: 'The key is no longer valid, from this moment on',
    response: k.keyRevoked,
  },
} as const satisfies Record<string, Route>
