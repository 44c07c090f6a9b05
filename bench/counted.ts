/** The control plane with its objects' wakes and rows counted, as the platform would bill them. */

export interface Counts {
  /** Events that wake an object, by kind; messages by the `t` of their frame. */
  readonly wakes: Readonly<Record<string, number>>
  readonly rowsWritten: number
  readonly rowsRead: number
  readonly alarmsSet: number
}

/**
 * @param bundle text of the Worker
 * @returns text of one that answers /bench with what it has counted so far, of all objects together
 */
export function counted(bundle: string): string {
  const exported = /export \{\s*([\w$]+ as )?Cluster,\s*([\w$]+) as default\s*\};?/.exec(bundle)
  if (!exported) throw new Error('the bundle exports something else than it did')
  const [whole, renamed, app] = exported
  const original = renamed?.replace(' as ', '') ?? 'Cluster'
  return bundle.replace(
    whole,
    `
const benchCounts = { wakes: {}, rowsWritten: 0, rowsRead: 0, alarmsSet: 0 }
const benchOpen = []
const benchWake = (kind) => { benchCounts.wakes[kind] = (benchCounts.wakes[kind] ?? 0) + 1 }
let benchPatched = false
function benchPatch(ctx) {
  if (benchPatched) return
  benchPatched = true
  const sql = Object.getPrototypeOf(ctx.storage.sql)
  const exec = sql.exec
  sql.exec = function (...all) {
    const cursor = exec.apply(this, all)
    benchOpen.push(cursor)
    if (benchOpen.length > 200) benchFold()
    return cursor
  }
  const storage = Object.getPrototypeOf(ctx.storage)
  const setAlarm = storage.setAlarm
  storage.setAlarm = function (...all) {
    benchCounts.alarmsSet += 1
    return setAlarm.apply(this, all)
  }
}
function benchFold() {
  for (const cursor of benchOpen.splice(0)) {
    benchCounts.rowsWritten += cursor.rowsWritten
    benchCounts.rowsRead += cursor.rowsRead
  }
}
class BenchCluster extends ${original} {
  constructor(ctx, env) {
    benchPatch(ctx)
    super(ctx, env)
    benchWake('start')
  }
  fetch(request) { benchWake('fetch'); return super.fetch(request) }
  webSocketMessage(ws, data) {
    benchWake(/^\\{"t":"(\\w+)"/.exec(String(data).slice(0, 40))?.[1] ?? 'message')
    return super.webSocketMessage(ws, data)
  }
  webSocketClose(...all) { benchWake('close'); return super.webSocketClose(...all) }
  alarm() { benchWake('alarm'); return super.alarm() }
}
const benchApp = {
  fetch(request, env, ctx) {
    if (new URL(request.url).pathname !== '/bench') return ${app}.fetch(request, env, ctx)
    benchFold()
    return Response.json(benchCounts)
  },
}
export { BenchCluster as Cluster, benchApp as default }
`,
  )
}
