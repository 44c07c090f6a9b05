/** docs/api-routes.md, made from the route table. */
import type { Access } from '../schema/api/access.ts'
import { routes } from '../schema/api/routes.ts'
import { operationStreamPath, streamAccess, streamPath } from '../schema/api/stream.ts'

const NEEDS: Readonly<Record<Access, string>> = {
  ...{ read: '`read`', operate: '`operate`', admin: '`admin`' },
  ...{ anyKey: 'any key or session', person: 'a session' },
  ...{ joinToken: 'the token in its body', anyone: 'nothing' },
}

export function renderApiDocs(): string {
  const row = (method: string, path: string, access: Access, about: string) =>
    `| ${method} | \`${path}\` | ${NEEDS[access]} | ${about} |`
  return [
    '# Routes of the HTTP API',
    '',
    'Made from the route table by `npm run docs`; [what scopes are](api.md#keys). The scope is needed in the cluster that the path',
    'names, or in the whole organisation where it names none.',
    '',
    '| | Path | Needs | |',
    '|---|---|---|---|',
    ...Object.values(routes).map((one) => row(one.method, one.path, one.access, one.summary)),
    row('GET', streamPath, streamAccess, 'WebSocket: what is committed, as it comes'),
    row(
      'GET',
      operationStreamPath,
      streamAccess,
      'Server-sent events: the operation whenever it looks different, until it is over',
    ),
    '',
  ].join('\n')
}
