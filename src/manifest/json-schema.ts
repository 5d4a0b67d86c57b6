import { z } from 'zod'
import { manifestSchema } from './schema.ts'

/** The parts of JSON Schema (draft 2020-12) that the schema of a manifest is made of. */
export interface JsonSchema {
  readonly $schema?: string
  readonly $id?: string
  readonly title?: string
  readonly description?: string
  readonly type?: string
  readonly default?: unknown
  readonly enum?: readonly string[]
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly anyOf?: readonly JsonSchema[]
  readonly not?: JsonSchema
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly patternProperties?: Readonly<Record<string, JsonSchema>>
  readonly propertyNames?: JsonSchema
  readonly additionalProperties?: JsonSchema | false
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly prefixItems?: readonly JsonSchema[]
}

/** The schema of what may stand in `drover.yaml`, for editors: `# yaml-language-server: $schema=…`. */
export function manifestJsonSchema(): JsonSchema {
  const { $schema, ...rest } = z.toJSONSchema(manifestSchema, { io: 'input', target: 'draft-2020-12', override })
  // A plain copy: zod hangs a hidden validator on what it gives.
  return JSON.parse(JSON.stringify({ $schema, $id: 'urn:drover:schema:manifest:1', title: 'drover.yaml', ...rest }))
}

type Override = NonNullable<NonNullable<Parameters<typeof z.toJSONSchema>[1]>['override']>

/** Called for every part, and again for one that is wrapped in another: it must be able to meet its own work. */
const override: Override = ({ jsonSchema }) => {
  if ('fallback' in jsonSchema) {
    jsonSchema.default = jsonSchema['fallback']
    delete jsonSchema['fallback']
  }
  if (jsonSchema.type !== 'object' || jsonSchema.patternProperties !== undefined) return
  // `x-` keys are a person's own; `walk.ts` takes them out before the schema sees a document.
  jsonSchema.patternProperties = { '^x-': {} }
  const { propertyNames } = jsonSchema
  if (typeof propertyNames === 'object') jsonSchema.propertyNames = { anyOf: [{ pattern: '^x-' }, propertyNames] }
}
