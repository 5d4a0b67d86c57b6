import { z } from '@hono/zod-openapi'
import { PHASES } from '../release/records.ts'

/** What the API says, as it stands in the OpenAPI document. `src/release/documents.ts` says the same in types. */

const time = z.int().describe('Milliseconds since the epoch.')
const count = z.int().min(0)

export const problemSchema = z
  .object({
    code: z.string().describe('Stable machine name; the part before the slash is the room that found it.'),
    severity: z.enum(['error', 'warning']),
    where: z.object({
      file: z.string().optional(),
      line: z.int().optional(),
      column: z.int().optional(),
      at: z.string().optional(),
    }),
    what: z.string(),
    hint: z.string().optional().describe('What to do next, one sentence.'),
  })
  .openapi('Problem')

const outcomes = ['usage', 'refused', 'failed-restored', 'failed-not-restored', 'internal'] as const

export const failureSchema = z
  .object({
    problems: z.array(problemSchema).readonly().describe('Everything that stands in the way, at once.'),
    outcome: z
      .enum(outcomes)
      .describe('`usage`: the input was wrong. `refused`: nothing was changed. `internal`: a fault of Drover.'),
    incident: z
      .string()
      .optional()
      .describe('With `internal`: the number under which the log of the control plane has the details.'),
  })
  .openapi('Failure')
export type Failure = z.infer<typeof failureSchema>

export const environmentSchema = z.object({ fleet: z.string(), environment: z.string() }).openapi('Environment')

const change = z.enum(['add', 'change', 'remove', 'same'])
const countsSchema = z.object({ add: count, change: count, remove: count, same: count })
const slot = z.enum(['a', 'b'])

const goal = z.enum(['deploy', 'rollback', 'heal'])

const stepSchema = z
  .object({
    key: z.string(),
    kind: z.enum([
      ...(['stage', 'migrate', 'start', 'adopt', 'prepared', 'leave', 'swap', 'switch', 'verify'] as const),
      'retire',
    ]),
    service: z.string().optional(),
    host: z.string().optional(),
    slot: slot.optional(),
    after: z.array(z.string()).readonly().describe('Keys of the steps that must be done before.'),
  })
  .openapi('Step')

export const planSchema = z
  .object({
    fleet: z.string(),
    environment: z.string(),
    goal,
    leftOut: z
      .array(
        z.object({
          host: z.string(),
          why: z
            .enum(['without', 'away'])
            .describe('`without`: left out on purpose. `away`: it does not answer, so the release is refused.'),
          detail: z.string().optional(),
        }),
      )
      .readonly()
      .optional()
      .describe('Hosts that stay as they are.'),
    batches: z
      .array(z.array(z.string()).readonly())
      .readonly()
      .optional()
      .describe('Hosts that switch one batch after the other; absent when all switch together.'),
    repairs: z
      .array(z.object({ host: z.string(), reasons: z.array(z.string()).readonly() }))
      .readonly()
      .optional()
      .describe('What is put right on hosts besides services; absent when nothing is.'),
    services: z
      .array(
        z.object({
          service: z.string(),
          change,
          reasons: z.array(z.string()).readonly(),
          artifact: z.string().optional().describe('Absent when it has still to be built.'),
          config: z.string().optional(),
        }),
      )
      .readonly(),
    hash: z.string().describe('sha256 of the plan, hex.'),
    counts: countsSchema,
    stepCount: count,
    steps: z.array(stepSchema).readonly().optional().describe('Only with `steps=true`.'),
  })
  .openapi('Plan')

const trafficSchema = z
  .object({ requests: count, failed: count, rescued: count })
  .describe('Requests that the router answered from the start of the release to its end.')
const releaseOutcome = z.enum(['kept', 'unchanged', 'refused', 'restored', 'cancelled', 'broken'])
const phase = z.enum(PHASES)
const deviation = z.object({ service: z.string(), release: z.int() })

export const releaseSchema = z
  .object({
    fleet: z.string(),
    environment: z.string(),
    number: z.int(),
    goal,
    phase,
    outcome: releaseOutcome.optional().describe('Absent until it has ended.'),
    live: z.boolean(),
    actor: z.string(),
    reason: z.string().optional(),
    repository: z.string(),
    branch: z.string().optional(),
    commit: z.string().optional(),
    subject: z.string().optional(),
    to: z.int().optional().describe('For a rollback: the release whose set is wanted.'),
    without: z.array(z.string()).readonly().optional().describe('Hosts that were left out on purpose.'),
    host: z.string().optional().describe('Of a heal: the host that is brought to what is live.'),
    requestedAt: time,
    startedAt: time.optional(),
    switchedAt: time.optional(),
    endedAt: time.optional(),
    plan: planSchema.optional(),
    set: z.record(z.string(), z.object({ artifact: z.string(), config: z.string(), release: z.int() })).optional(),
    problems: z.array(problemSchema).readonly(),
    traffic: trafficSchema.optional(),
    deviations: z.array(deviation).readonly(),
  })
  .openapi('Release')

const slotReport = z.object({
  service: z.string(),
  slot,
  state: z.enum(['absent', 'stopped', 'running', 'crashed']),
  pid: z.int().optional(),
  artifact: z.string().optional(),
  config: z.string().optional(),
  release: z.int().optional(),
  port: z.int().optional(),
  restarts: count,
  startedAt: time.optional(),
  memoryBytes: z.number().optional(),
  cpuMs: z.number().optional(),
})

const serviceStatus = z.object({
  service: z.string(),
  host: z.string(),
  port: z.int().optional(),
  state: z.enum(['ready', 'not-ready', 'crashed', 'stopped', 'absent']),
  slot: slotReport.optional(),
  warm: z.boolean().describe('The other slot still runs: going back needs no start.'),
  artifact: z.string().optional(),
  release: z
    .int()
    .optional()
    .describe('The release that built or configured the version; absent when it is not the one of the live release.'),
  differs: z.boolean().optional().describe('It runs another version than was released.'),
  deviation: z
    .object({ release: z.int() })
    .optional()
    .describe("It runs another version than the live release's commit says."),
})

const driftKind = z.enum([
  ...(['slot-down', 'slot-other', 'slot-stray', 'slot-edited', 'artifact', 'environment', 'boot'] as const),
  ...(['unit-edited', 'unit-missing', 'unit-override', 'unit-unread', 'unit-foreign'] as const),
  ...(['router-down', 'router-edited', 'router-set', 'helper', 'sudo'] as const),
])

const driftFinding = z
  .object({
    kind: driftKind.describe('What is not as it was declared.'),
    service: z.string().optional().describe('Absent: it is of the whole host.'),
    slot: slot.optional(),
    what: z.string().describe('In a few words, which may follow the name of the service.'),
    path: z.string().optional().describe('Where it is on the host.'),
    mend: z
      .enum(['release', 'bootstrap', 'hand'])
      .describe('What puts it right: a release or a heal, a bootstrap of the host, or a person.'),
    hint: z.string().describe('What to do about it.'),
  })
  .openapi('DriftFinding')

export const driftSchema = z
  .object({
    fleet: z.string(),
    environment: z.string(),
    release: z.int().optional().describe('The live release; absent when nothing is live, and so nothing declared.'),
    deep: z.boolean().describe('Every file of what is live was read.'),
    hosts: z
      .array(
        z.object({
          host: z.string(),
          reachable: z.boolean(),
          problem: z.string().optional().describe('Why it cannot be told what is there.'),
          findings: z.array(driftFinding).readonly(),
        }),
      )
      .readonly(),
  })
  .openapi('Drift')

const hostStatus = z.object({
  host: z.string(),
  reachable: z.boolean(),
  router: z.enum(['running', 'stopped']),
  problem: z.string().optional(),
  release: z
    .int()
    .optional()
    .describe('The release whose set is live there: the live one, or one that healed the host.'),
  behind: z
    .object({ since: z.int(), why: z.string() })
    .optional()
    .describe('It may not run what is live since that release; other hosts send it nothing until it is healed.'),
  drift: z
    .array(driftFinding)
    .readonly()
    .optional()
    .describe('What is not as it was declared; absent while a release is under way, and where nothing can be told.'),
})

export const statusSchema = z
  .object({
    fleet: z.string(),
    environment: z.string(),
    live: releaseSchema.optional(),
    active: releaseSchema.optional(),
    services: z.array(serviceStatus).readonly(),
    hosts: z.array(hostStatus).readonly(),
  })
  .openapi('Status')

const serviceState = z.enum([
  ...(['building', 'built', 'reused', 'staged', 'migrating', 'migrated', 'starting', 'ready'] as const),
  ...(['warm', 'live', 'held', 'stopped', 'failed'] as const),
])

const eventBody = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('phase'), phase, detail: z.string().optional() }),
  z.object({
    kind: z.literal('service'),
    service: z.string(),
    host: z.string().optional(),
    state: serviceState,
    detail: z.string().optional(),
    ms: z.number().optional().describe('How long the state that just ended took.'),
  }),
  z.object({
    kind: z.literal('plan'),
    hash: z.string(),
    counts: countsSchema,
    services: z
      .array(z.object({ service: z.string(), change: z.string(), reasons: z.array(z.string()).readonly() }))
      .readonly(),
  }),
  z.object({ kind: z.literal('waiting'), for: z.int(), actor: z.string(), since: time }),
  z.object({ kind: z.literal('output'), service: z.string(), line: z.string() }),
  z.object({ kind: z.literal('note'), text: z.string() }),
  z.object({ kind: z.literal('resumed'), worker: z.string() }),
  z.object({ kind: z.literal('switched'), host: z.string(), services: count, ms: z.number() }),
  z.object({ kind: z.literal('watch'), requests: count, failed: count, rescued: count, remainingMs: z.number() }),
  z.object({
    kind: z.literal('ended'),
    outcome: releaseOutcome,
    problems: z.array(problemSchema).readonly(),
    traffic: trafficSchema.optional(),
    ms: z.number(),
  }),
])

export const eventSchema = z
  .object({
    fleet: z.string(),
    environment: z.string(),
    number: z.int(),
    id: z.int().describe('Usable as Last-Event-ID.'),
    at: time,
    body: eventBody,
  })
  .openapi('ReleaseEvent')

export const logLineSchema = z
  .object({ host: z.string(), service: z.string(), slot, line: z.string() })
  .openapi('LogLine')

export const logNoticeSchema = z.object({ host: z.string(), notice: z.string() }).openapi('LogNotice')

export const healthSchema = z
  .object({ status: z.enum(['ok', 'unwell']), version: z.string(), detail: z.string().optional() })
  .openapi('Health')
