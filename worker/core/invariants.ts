import type { Hive } from '../../schema/hive.ts'

/** What must be true of every committed hive. Checked after each step in tests. */
export function brokenInvariants(hive: Hive): string[] {
  const broken: string[] = []
  const say = (text: string) => broken.push(text)
  const names = new Map<string, string>()
  for (const [kind, table] of [
    ['node', hive.nodes],
    ['group', hive.groups],
    ['resource', hive.resources],
  ] as const)
    for (const row of table.values()) {
      const key = `${kind} ${row.name.toLowerCase()}`
      if (names.has(key)) say(`I1: two ${kind}s are named ${row.name}`)
      names.set(key, row.id)
    }
  for (const group of hive.groups.values()) {
    const { ownership } = group
    if (ownership.phase === 'free') continue
    const owner = hive.nodes.get(ownership.owner)
    if (!owner) say(`I2: group ${group.name} is owned by a node that does not exist`)
    else if (owner.state === 'down') say(`I3: group ${group.name} is owned by a node that is down`)
    if (ownership.epoch < 1) say(`I4: group ${group.name} is owned at epoch 0`)
  }
  for (const { name, after = [], onlyWhile = [], waitsFor = [] } of hive.groups.values()) {
    const depends = [...after, ...onlyWhile]
    if (depends.some((id) => !hive.groups.has(id))) say(`I7: ${name} depends on no group`)
    if (waitsFor.some((id) => !depends.includes(id)))
      say(`I7: ${name} waits for nothing of its own`)
  }
  for (const r of hive.resources.values()) {
    if (!hive.groups.has(r.groupId)) say(`I5: resource ${r.name} has no group`)
    for (const id of r.dependsOn)
      if (hive.resources.get(id)?.groupId !== r.groupId)
        say(`I6: ${r.name} depends on something outside its group`)
    if (r.anyOf?.flat().some((id) => !r.dependsOn.includes(id)))
      say(`I6: ${r.name} needs something that is not among its dependencies`)
  }
  return broken
}
