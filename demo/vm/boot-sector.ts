/**
 * The tiny guest: one sector of 16-bit code that is its whole operating system. It says GUEST-READY
 * on the first serial port, then counts about once a second in hexadecimal, and shuts down when the
 * ACPI power button is pressed. Machine `q35`: its power management starts at port 0x600.
 *
 * Assembled from the listing at the right (GNU as, .code16). Addresses are 0x7c00 + offset.
 */

const READY = 'GUEST-READY\n'
const OFF = 'GUEST-OFF\n'
const SECTOR_LENGTH = 512
/** The BIOS does not boot from a disk without a single whole cylinder. */
const IMAGE_LENGTH = 1024 * 1024

/** A raw disk image that boots the tiny guest. */
export function bootImage(): Buffer {
  const image = Buffer.alloc(IMAGE_LENGTH)
  bootSector().copy(image)
  return image
}

export function bootSector(): Buffer {
  const sector = Buffer.alloc(SECTOR_LENGTH)
  const code = Buffer.from(LISTING.flatMap(([bytes]) => bytes.split(' ')).join(''), 'hex')
  code.copy(sector)
  sector.write(`${READY}\0${OFF}\0`, code.length, 'latin1')
  // Without this mark the BIOS does not take it for code.
  sector.writeUInt16LE(0xaa55, SECTOR_LENGTH - 2)
  return sector
}

const LISTING: readonly (readonly [bytes: string, assembly: string])[] = [
  ['fa', '00 cli    ; start'],
  ['31 c0', '01 xor %ax,%ax'],
  ['8e d8', '03 mov %ax,%ds'],
  ['8e d0', '05 mov %ax,%ss'],
  ['bc 00 7c', '07 mov $0x7c00,%sp'],
  ['ba fb 03', '0a mov $0x3fb,%dx    ; COM1: 115200 baud, 8 bits, no parity'],
  ['b0 80', '0d mov $0x80,%al'],
  ['ee', '0f out %al,(%dx)'],
  ['ba f8 03', '10 mov $0x3f8,%dx'],
  ['b0 01', '13 mov $0x1,%al'],
  ['ee', '15 out %al,(%dx)'],
  ['42', '16 inc %dx'],
  ['30 c0', '17 xor %al,%al'],
  ['ee', '19 out %al,(%dx)'],
  ['ba fb 03', '1a mov $0x3fb,%dx'],
  ['b0 03', '1d mov $0x3,%al'],
  ['ee', '1f out %al,(%dx)'],
  ['ba 02 06', '20 mov $0x602,%dx    ; PM1_EN: the power button sets its status bit'],
  ['b8 00 01', '23 mov $0x100,%ax'],
  ['ef', '26 out %ax,(%dx)'],
  ['fb', '27 sti    ; the BIOS counts time by interrupts'],
  ['be 96 7c', '28 mov $0x7c96,%si    ; "GUEST-READY"'],
  ['e8 34 00', '2b call 0x62'],
  ['31 ed', '2e xor %bp,%bp    ; seconds = 0'],
  ['8b 1e 6c 04', '30 mov 0x46c,%bx    ; second: ticks at its start'],
  ['ba 00 06', '34 mov $0x600,%dx    ; wait: PM1_STS'],
  ['ed', '37 in (%dx),%ax'],
  ['f6 c4 01', '38 test $0x1,%ah    ; pressed?'],
  ['75 11', '3b jne 0x4e'],
  ['f4', '3d hlt    ; sleep until the next interrupt'],
  ['a1 6c 04', '3e mov 0x46c,%ax'],
  ['29 d8', '41 sub %bx,%ax'],
  ['83 f8 12', '43 cmp $0x12,%ax    ; 18 ticks are a second'],
  ['72 ec', '46 jb 0x34'],
  ['45', '48 inc %bp    ; seconds += 1'],
  ['e8 32 00', '49 call 0x7e'],
  ['eb e2', '4c jmp 0x30'],
  ['b8 00 01', '4e mov $0x100,%ax    ; off: a one clears the bit'],
  ['ef', '51 out %ax,(%dx)'],
  ['be a3 7c', '52 mov $0x7ca3,%si    ; "GUEST-OFF"'],
  ['e8 0a 00', '55 call 0x62'],
  ['ba 04 06', '58 mov $0x604,%dx    ; PM1_CNT: SLP_EN, SLP_TYP 0 is "soft off" here'],
  ['b8 00 20', '5b mov $0x2000,%ax'],
  ['ef', '5e out %ax,(%dx)'],
  ['f4', '5f hlt'],
  ['eb ec', '60 jmp 0x4e'],
  ['ac', '62 lods %ds:(%si),%al    ; puts: si, ends with 0'],
  ['84 c0', '63 test %al,%al'],
  ['74 05', '65 je 0x6c'],
  ['e8 03 00', '67 call 0x6d'],
  ['eb f6', '6a jmp 0x62'],
  ['c3', '6c ret'],
  ['88 c4', '6d mov %al,%ah    ; putc: al, when the port is free'],
  ['ba fd 03', '6f mov $0x3fd,%dx'],
  ['ec', '72 in (%dx),%al'],
  ['a8 20', '73 test $0x20,%al'],
  ['74 fb', '75 je 0x72'],
  ['88 e0', '77 mov %ah,%al'],
  ['ba f8 03', '79 mov $0x3f8,%dx'],
  ['ee', '7c out %al,(%dx)'],
  ['c3', '7d ret'],
  ['b9 04 00', '7e mov $0x4,%cx    ; number: bp in four digits'],
  ['c1 c5 04', '81 rol $0x4,%bp'],
  ['89 e8', '84 mov %bp,%ax'],
  ['24 0f', '86 and $0xf,%al'],
  ['3c 0a', '88 cmp $0xa,%al    ; a nibble to its digit'],
  ['1c 69', '8a sbb $0x69,%al'],
  ['2f', '8c das'],
  ['e8 dd ff', '8d call 0x6d'],
  ['e2 ef', '90 loop 0x81'],
  ['b0 0a', '92 mov $0xa,%al    ; newline'],
  ['eb d7', '94 jmp 0x6d'],
]
