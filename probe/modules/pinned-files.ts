/**
 * Module files on a host and their pins (S-56). A file is named by its hash and there before its pin:
 * whatever comes in between, a pin names a file that is whole, or the old one.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { HoldfastError } from '../../schema/errors.ts'
import { LIMITS } from '../../schema/limits.ts'
import { type ModulePin, modulePins } from '../../schema/module-pins.ts'
import { removeDurably, writeDurably } from '../host/durable.ts'
import { modulesFolder, pinsFile, readPins } from '../os/module-pins.ts'
import { corrupt, readModule } from './module-file.ts'

export class PinnedFiles {
  readonly #state: string

  /** @param state the state folder of the host */
  constructor(state: string) {
    this.#state = state
  }

  /** @throws {HoldfastError} STATE_FOLDER: they cannot be read, or others may write them */
  all(): readonly ModulePin[] {
    return this.#guarded(() => readPins(this.#state))
  }

  of(type: string): ModulePin | undefined {
    return this.all().find((pin) => pin.type === type)
  }

  pathOf({ file }: Pick<ModulePin, 'file'>): string {
    return join(modulesFolder(this.#state), file)
  }

  /** Why the file is not what its pin says, or null. */
  problem(pin: ModulePin): string | null {
    try {
      const { sha256 } = readModule(this.pathOf(pin))
      return sha256 === pin.sha256 ? null : corrupt(sha256, pin.sha256)
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error
      return error.refusal.why ?? error.message
    }
  }

  /** @returns the pin that counts from now on, in the place of an earlier one of its type */
  put(bytes: Uint8Array, pin: Omit<ModulePin, 'file'>, extension: 'mjs' | 'ts'): ModulePin {
    const file = `${pin.type.slice(0, 40)}-${pin.sha256.slice(0, 16)}.${extension}`
    const before = this.all()
    if (before.length >= LIMITS.typesMax && !before.some((p) => p.type === pin.type)) throw full()
    const fresh = { ...pin, file }
    this.#guarded(() => {
      mkdirSync(modulesFolder(this.#state), { recursive: true, mode: 0o700 })
      writeDurably(this.pathOf(fresh), bytes)
    })
    this.#write([...before.filter((p) => p.type !== pin.type), fresh])
    const old = before.find((p) => p.type === pin.type && p.file !== file)
    if (old) removeDurably(this.pathOf(old))
    return fresh
  }

  /** The same file anew, byte for byte: its pin stays. */
  restore(pin: ModulePin, bytes: Uint8Array): void {
    this.#guarded(() => writeDurably(this.pathOf(pin), bytes))
  }

  remove(pin: ModulePin): void {
    this.#write(this.all().filter((p) => p.type !== pin.type))
    this.#guarded(() => removeDurably(this.pathOf(pin)))
  }

  #write(pins: readonly ModulePin[]): void {
    // Never what could not be read again: without pins nothing of the host's own is loaded.
    const text = JSON.stringify(this.#guarded(() => modulePins.parse({ pins })))
    this.#guarded(() => writeDurably(pinsFile(this.#state), `${text}\n`))
  }

  #guarded<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw new HoldfastError({
        code: 'STATE_FOLDER',
        message: `the modules of this host in ${modulesFolder(this.#state)} cannot be used`,
        why: (error as Error).message,
        remedy: 'They belong to root alone. Run this as root, and name the folder with --state.',
      })
    }
  }
}

const full = () =>
  new HoldfastError({
    code: 'LIMIT_REACHED',
    message: `this host has ${LIMITS.typesMax} modules of its own already`,
    remedy: 'Unregister some that are no longer used: holdfast-probe module list',
  })
