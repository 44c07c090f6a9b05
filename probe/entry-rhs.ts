import { runRhs } from './rhs/main.ts'

runRhs()
