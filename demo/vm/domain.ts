/** Domain XML of the tiny guest, and its disk. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { bootImage } from './boot-sector.ts'

export interface TinyDomain {
  readonly name: string
  /** Absent: libvirt, or the resource, gives one. */
  readonly uuid?: string
  /** Raw disk image, see `writeTinyImage`. */
  readonly image: string
  /** What the guest says on its serial port is appended here. */
  readonly serialLog: string
  /** Of the emulator; the cluster puts its gate here. */
  readonly emulator?: string
}

/** A file with the tiny guest's disk. */
export function writeTinyImage(path: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, bootImage())
}

/** One processor without acceleration, 2 MiB, one disk, one serial port, no network. */
export function tinyDomainXml(domain: TinyDomain): string {
  const uuid = domain.uuid === undefined ? '' : `\n  <uuid>${escapeXml(domain.uuid)}</uuid>`
  const emulator = domain.emulator ?? '/usr/bin/qemu-system-x86_64'
  return `<domain type='qemu'>
  <name>${escapeXml(domain.name)}</name>${uuid}
  <memory unit='MiB'>2</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <boot dev='hd'/>
  </os>
  <features>
    <acpi/>
  </features>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>${escapeXml(emulator)}</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='none'/>
      <source file='${escapeXml(domain.image)}'/>
      <target dev='sda' bus='sata'/>
    </disk>
    <controller type='usb' model='none'/>
    <serial type='file'>
      <source path='${escapeXml(domain.serialLog)}' append='on'/>
      <target port='0'/>
    </serial>
    <memballoon model='none'/>
  </devices>
</domain>
`
}

function escapeXml(text: string): string {
  const entities: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    "'": '&apos;',
    '"': '&quot;',
  }
  return text.replace(/[&<>'"]/g, (c) => entities[c] ?? c)
}
