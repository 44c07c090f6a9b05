/** The properties of a resource as its module gets them: parsed once for as long as they are held. */
import type { HeldResource } from '../../schema/ipc.ts'
import type { ResourceModule } from '../../schema/resource-type.ts'

interface Parsed {
  readonly module: ResourceModule
  readonly properties: unknown
}

/** What is held is replaced whole when anything of it changes, and with it goes what was parsed of it. */
const parsed = new WeakMap<HeldResource, Parsed>()

/**
 * A thousand resources are checked again and again with the same properties. They are frozen, so that no
 * call can leave something in them for the next one.
 *
 * @throws {Error} the properties do not fit the module's schema
 */
export function propertiesOf(held: HeldResource, module: ResourceModule): unknown {
  const known = parsed.get(held)
  if (known?.module === module) return known.properties
  const properties = module.properties.parse(held.properties)
  if (isPlain(properties)) parsed.set(held, { module, properties: freeze(properties) })
  return properties
}

/** Whether freezing it makes it unchangeable: a `Map`, which a module's schema may make, is no such thing. */
function isPlain(value: unknown): boolean {
  if (typeof value === 'function') return false
  if (typeof value !== 'object' || value === null) return true
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null)
    return false
  const own = Object.values(Object.getOwnPropertyDescriptors(value))
  return own.every((one) => 'value' in one && isPlain(one.value))
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const one of Object.values(value)) freeze(one)
  return Object.freeze(value)
}
