import { z } from '@hono/zod-openapi'
import { address, hostFolder, name, port, sshDestination } from '../manifest/words.ts'
import { problemSchema } from './schemas.ts'

/** What the API accepts and says about hosts. `src/release/host-operations.ts` says the same in types. */

const word = z
  .string()
  .max(250)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._@%:-]*$/, 'should be a user, or user@address')

const as = word.optional().describe('Who logs in: a user of the host, or user@address. Absent: whom the manifest says.')

const declaredHost = z
  .strictObject({
    fleet: name,
    name,
    ssh: z
      .strictObject({ destination: sshDestination, port: port.optional() })
      .optional()
      .describe('Absent for the machine that Drover runs on.'),
    address: address.optional(),
    labels: z.array(name).max(100).readonly(),
    environments: z
      .array(
        z.strictObject({
          name,
          root: hostFolder.optional(),
          peers: z.array(name).max(10_000).readonly().describe("The environment's other hosts."),
          ports: z.record(name, port).describe('Of every service that answers, run here or not.'),
          languages: z
            .array(z.enum(['node', 'go', 'python', 'command']))
            .readonly()
            .describe('Of the services that run here.'),
        }),
      )
      .max(1_000)
      .readonly(),
  })
  .openapi('DeclaredHost', { description: 'A host as the manifest of a working tree has it.' })

export const lookBody = z
  .strictObject({
    host: declaredHost,
    as,
    asRoot: z.boolean().optional().describe('Become root for a full look, where whoever logs in may.'),
  })
  .openapi('HostLook')

/** Public keys are checked as such below; here only that they are lines of text. */
const publicKey = z
  .string()
  .max(16_384)
  .regex(/^\P{Cc}+$/u, 'must not have control characters')

export const bootstrapBody = z
  .strictObject({
    host: declaredHost,
    as,
    keys: z
      .array(publicKey)
      .max(20)
      .readonly()
      .default([])
      .describe('Public keys that shall log in as the deploy user, instead of the one that logs in now.'),
    plan: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be the hash of a plan, 64 hex digits')
      .optional()
      .describe('Hash of the plan that was shown; another one is refused.'),
  })
  .openapi('BootstrapOrder')

const item = z.object({
  name: z.string(),
  sign: z
    .enum(['add', 'change', 'same', 'cannot'])
    .describe('`cannot`: nothing can be done about it from here; `hint` says what a person can do.'),
  what: z.string(),
  why: z.string().optional(),
  hint: z.string().optional(),
})

export const hostReportSchema = z
  .object({
    name: z.string(),
    destination: z.string().optional(),
    labels: z.array(z.string()).readonly(),
    environments: z.array(z.string()).readonly(),
    reachable: z.boolean(),
    problems: z.array(problemSchema).readonly().describe('Why it cannot be reached.'),
    user: z.string().optional().describe('Whom Drover logs in as by the manifest.'),
    login: z
      .object({ user: z.string(), admin: z.boolean() })
      .optional()
      .describe('Who logged in for this look, and whether that may become root without a password.'),
    os: z.string().optional(),
    machine: z.string().optional(),
    helper: z.int().optional().describe('Version of the helper that lies there.'),
    freeBytes: z.int().optional().describe('Of the file system that releases lie on.'),
    ready: z.boolean(),
    items: z.array(item).readonly(),
  })
  .openapi('HostReport')

export const bootstrapPlanSchema = z
  .object({
    host: z.string(),
    destination: z.string(),
    user: z.string().describe('The deploy user.'),
    os: z.string(),
    machine: z.string(),
    items: z.array(item).readonly(),
    advice: z.array(z.string()).readonly().describe('What is left to people.'),
    hash: z.string().describe('sha256 of what it would do, hex.'),
  })
  .openapi('BootstrapPlan')

export const bootstrapEventSchema = z
  .discriminatedUnion('kind', [
    z.object({ kind: z.literal('plan'), plan: bootstrapPlanSchema }),
    z.object({ kind: z.literal('begin'), item: z.string() }),
    z.object({ kind: z.literal('done'), item: z.string(), ms: z.number() }),
    z.object({ kind: z.literal('ended'), changed: z.int().describe('How many items were changed.') }),
  ])
  .openapi('BootstrapEvent')
