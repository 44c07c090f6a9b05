import { runRhs } from './rhs/main.ts'

runRhs(process.argv[2] ?? 'rhs')
