/** On the loopback of an island: to a unix socket that leads out of it. */
import { connect, createServer } from 'node:net'

const [, , port, socket = ''] = process.argv
createServer((from) => {
  const to = connect(socket)
  from.pipe(to).pipe(from)
  from.on('error', () => to.destroy())
  to.on('error', () => from.destroy())
}).listen(Number(port), '127.0.0.1')
