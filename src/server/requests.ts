import { z } from '@hono/zod-openapi'
import { name } from '../manifest/words.ts'

/** What the API accepts. Unknown fields are refused, so that a misspelt one is not silently without effect. */

/** PostgreSQL's integer ends here. */
const LARGEST = 2_147_483_647

/** No control characters: these words reach commands, terminals and logs. */
function word(longest: number) {
  return z
    .string()
    .min(1)
    .max(longest)
    .regex(/^\P{Cc}*$/u, 'must not have control characters')
}

/** A whole number in a path, query or header. Said to be an integer because the generator takes what is coerced for nullable. */
function written(least: number, most: number) {
  return z.coerce.number().int().min(least).max(most).openapi({ type: 'integer' })
}

const truth = z
  .enum(['true', 'false'])
  .default('false')
  .transform((text) => text === 'true')

export const environmentParams = z.object({
  fleet: name.openapi({ param: { name: 'fleet', in: 'path' }, description: 'Name of a fleet.', example: 'pakashop' }),
  environment: name.openapi({
    param: { name: 'environment', in: 'path' },
    description: 'Name of an environment of the fleet.',
    example: 'staging',
  }),
})

export const releaseParams = environmentParams.extend({
  number: written(1, LARGEST).openapi({ param: { name: 'number', in: 'path' }, example: 12 }),
})

const notAnOption = [/^[^-]/, 'must not start with a dash, which git would read as an option'] as const

const without = z
  .array(word(255))
  .max(1_000)
  .readonly()
  .optional()
  .describe('Hosts that are left as they are, because they are away; others send them nothing until they are healed.')

const order = z.discriminatedUnion('goal', [
  z.strictObject({
    goal: z.literal('deploy'),
    repository: word(4_096)
      .regex(...notAnOption)
      .describe('Absolute path or URL of a git repository.'),
    ref: word(255)
      .regex(...notAnOption)
      .optional()
      .describe("Branch, tag or commit; absent means the environment's branch."),
    without,
  }),
  z.strictObject({
    goal: z.literal('rollback'),
    to: z.int().min(1).max(LARGEST).optional().describe('Absent means the last kept release before the live one.'),
    service: name.optional().describe('Only this service; the result is shown as a deviation.'),
    without,
  }),
  z.strictObject({
    goal: z.literal('heal').describe('Brings one host to what is live on the others.'),
    host: word(255),
  }),
])

const actor = word(200).describe('Who asks.')

export const requestBody = z
  .strictObject({
    order,
    actor,
    reason: z.string().max(2_000).optional(),
    expectedPlan: z
      .string()
      .regex(/^[0-9a-f]{8,64}$/, 'must be the hash of a plan, 8 to 64 hex digits')
      .optional()
      .describe(
        'Hash, or its beginning, of a plan that was shown before; the release is refused when the plan has become another.',
      ),
  })
  .openapi('Request')

export const actorBody = z.strictObject({ actor }).openapi('Actor')

export const stepsQuery = z.object({ steps: truth.describe('With every step of the plan; a large fleet has many.') })

export const listQuery = z.object({
  limit: written(1, 1_000).default(20),
  before: written(1, LARGEST).optional().describe('Only releases with a smaller number.'),
})

export const logsQuery = z.object({
  service: z
    .union([name.transform((one) => [one]), z.array(name).max(1_000)])
    .optional()
    .describe('May be given several times; absent means all.'),
  lines: written(0, 10_000).default(100).describe('Of each slot, before following.'),
  follow: truth,
})

export const driftQuery = z.object({
  deep: truth.describe('Reads every file of what is live, so that one whose time was set back is found as well.'),
})

export const resumeHeaders = z.object({
  'last-event-id': written(0, Number.MAX_SAFE_INTEGER).optional().describe('Only what came after this event.'),
})
