import type { AgentToGuard, FromRhs } from '../../schema/ipc.ts'
import type { HeldGroup } from '../../schema/session.ts'
import { offered } from '../core/duties.ts'
import { ControlDesk } from './control-desk.ts'
import { CopyDesk } from './copy-desk.ts'
import type { DutyDesk } from './duty-desk.ts'
import { FenceDesk } from './fence-desk.ts'
import { ModuleDesk } from './module-desk.ts'
import type { MonitorList } from './monitors.ts'
import { OfferDesk } from './offer-desk.ts'
import { PrepareDesk } from './prepare-desk.ts'
import type { Replica } from './replica.ts'
import type { SessionKeeper } from './session-keeper.ts'

/** What the desks need of their agent. */
export interface AgentSide {
  session(): SessionKeeper
  replica(): Replica
  duties(): DutyDesk
  grants(): readonly HeldGroup[]
  whyRefuse(groupId: string): string | null
  toGuard(frame: AgentToGuard): void
  log(component: 'NM', message: string): void
}

type ToDesks = Extract<FromRhs, { t: 'couldHost' | 'controlled' | 'received' | 'notCarried' }>

/** Where an agent answers what it is asked: one desk for each kind of question. */
export class Desks {
  readonly offers: OfferDesk
  readonly fences: FenceDesk
  readonly modules: ModuleDesk
  readonly controls: ControlDesk
  readonly prepares: PrepareDesk
  readonly copies: CopyDesk

  constructor(agent: AgentSide, monitors: MonitorList) {
    const answer: SessionKeeper['answer'] = (frame) => agent.session().answer(frame)
    const toGuard: AgentSide['toGuard'] = (frame) => agent.toGuard(frame)
    const members = (groupId: string, epoch: number) =>
      offered(agent.replica().hive, groupId, epoch)
    this.copies = new CopyDesk({
      ...{ monitors, toGuard, members, hive: () => agent.replica().hive },
      tell: (report) => agent.session().tell(report),
    })
    this.offers = new OfferDesk({
      ...{ monitors, toGuard, answer, members },
      whyNot: (groupId) => agent.whyRefuse(groupId),
      receive: (...offer) => this.copies.receive(...offer),
    })
    this.prepares = new PrepareDesk({ monitors, toGuard })
    this.fences = new FenceDesk({
      ...{ answer, tell: (report) => agent.session().tell(report) },
      log: (message) => agent.log('NM', message),
    })
    this.modules = new ModuleDesk({
      replica: () => agent.replica(),
      session: () => agent.session(),
    })
    this.controls = new ControlDesk({
      ...{ toGuard, answer, grants: () => agent.grants() },
      monitorOf: (resourceId) => agent.duties().monitorOf(resourceId),
    })
  }

  /** What a monitor answers goes to the desk that has asked. */
  heard(monitor: string, frame: ToDesks): void {
    if (frame.t === 'couldHost') this.offers.heard(monitor, frame)
    else if (frame.t === 'controlled') this.controls.heard(frame)
    else this.copies.heard(frame)
  }
}
