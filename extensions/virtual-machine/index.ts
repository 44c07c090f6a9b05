/** The management extension of type `virtual-machine`: its settings are in the domain XML. */
import * as z from 'zod'
import { type VmSettings, vmChange } from '../../schema/api/vm-settings.ts'
import { type ManagementExtension, type Properties, SettingsError } from '../extension.ts'
import { withSettings } from './change.ts'
import { differencesOf } from './differences.ts'
import { liveOf } from './live.ts'
import { settingsOf } from './settings.ts'

const tried = z.record(z.string().max(64), z.string().nullable())

export const virtualMachine: ManagementExtension = {
  type: 'virtual-machine',
  change: vmChange,
  settingsOf: (properties) => settingsOf(xmlOf(properties)),
  withSettings(properties, change, seed) {
    const xml = xmlOf(properties)
    return { ...properties, xml: withSettings(xml, vmChange.parse(change), seed) }
  },
  runningCode: 'settings',
  runningOf(answer) {
    const { running } = (answer ?? {}) as { running?: unknown }
    return typeof running === 'string' ? settingsOf(running) : null
  },
  liveOf: (before, after) => liveOf(before as VmSettings, after as VmSettings),
  triedOf: (answer) => tried.parse(answer),
  differences: (configured, running) =>
    differencesOf(configured as VmSettings, running as VmSettings),
}

function xmlOf({ xml }: Properties): string {
  if (typeof xml === 'string') return xml
  throw new SettingsError('/xml', 'the resource has no domain XML')
}
