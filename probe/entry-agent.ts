import { runAgent } from './agent/main.ts'

runAgent(process.argv[2] as string, process.argv[3] ?? 'auto')
