import { runRhs } from './rhs/main.ts'

runRhs(process.argv[2]?.startsWith('rhs-exec') ? 'rhs-exec' : 'rhs')
