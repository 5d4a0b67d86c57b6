import type { GuessedEnvironments } from './draft-branches.ts'
import { looksSingle } from './draft-guess.ts'
import type { GuessedStore } from './draft-guess.ts'
import type { FoundService } from './draft-survey.ts'

export interface DraftService extends FoundService {
  /** A port that was found, and that another service has already. */
  readonly clash?: number | undefined
}

export interface DraftParts {
  readonly fleet: string
  readonly shared: readonly string[]
  readonly stores: readonly GuessedStore[]
  readonly environments: GuessedEnvironments
  readonly services: readonly DraftService[]
  readonly ready: string
}

const STORE_LINES: Readonly<Record<GuessedStore, string>> = {
  postgres: '  database: { kind: postgres } # its address comes from the secret DATABASE_URL',
  redis: '  redis: { kind: redis } # REDIS_URL',
  meilisearch: '  search: { kind: meilisearch, optional: true } # MEILI_URL; optional: the fleet lives without it',
}

/** The text of a draft, for a person to read through: what could not be found out stands in a comment beside its place. */
export function renderDraft(parts: DraftParts): string {
  const { fleet, shared, stores, environments, services, ready } = parts
  const lines = [
    '# A draft by `drover init`. Read it through; a comment marks what only you know.',
    '# `drover docs` explains every key, `drover check` says what is wrong.',
    `fleet: ${fleet}`,
    ...(shared.length === 0
      ? []
      : [`shared: [${shared.map(scalar).join(', ')}] # a change here rebuilds every service`]),
    ...section(
      'stores',
      [...new Set(stores)].map((store) => STORE_LINES[store]),
    ),
    '',
    ...(ready === '/health/ready'
      ? ['# defaults: { needs: [config] } # what holds for all']
      : [`defaults: { ready: ${scalar(ready)} }`]),
    '',
    'environments:',
    ...environmentLines(environments, services),
    '',
    'services:',
    ...(services.length === 0 ? ['  # backend: { port: 3080 }'] : serviceLines(services, ready)),
  ]
  return `${lines.join('\n')}\n`
}

function section(name: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', `${name}:`, ...lines]
}

function environmentLines(environments: GuessedEnvironments, services: readonly DraftService[]): string[] {
  const { staging, production } = environments
  const offset = freeOffset(services)
  return [
    staging === undefined
      ? `  # staging: { branch: develop, ports: ${offset} }`
      : `  staging: { branch: ${scalar(staging)}, ports: ${offset} } # on the same machine, every port ${offset} higher`,
    `  production: { branch: ${scalar(production)} } # hosts: [local] unless you name others`,
  ]
}

/** The first thousand by which all ports, slots included, can be moved without hitting one. */
function freeOffset(services: readonly DraftService[]): number {
  const ports = services.flatMap(({ port }) => (port === undefined ? [] : [port, port + 10_000, port + 20_000]))
  const taken = new Set(ports)
  const offsets = Array.from({ length: 9 }, (_, index) => (index + 1) * 1000)
  return offsets.find((offset) => ports.every((port) => !taken.has(port + offset))) ?? 1000
}

function serviceLines(services: readonly DraftService[], ready: string): string[] {
  const width = Math.max(...services.map(({ name }) => name.length)) + 1
  return services.map((service) => {
    const keys = serviceKeys(service, ready)
    const questions = serviceQuestions(service)
    const value = keys.length === 0 ? '{}' : `{ ${keys.join(', ')} }`
    return `  ${`${service.name}:`.padEnd(width)} ${value}${questions.length === 0 ? '' : ` # ${questions.join('; ')}`}`
  })
}

function serviceKeys(service: DraftService, ready: string): string[] {
  const { name, path, port, language, prisma } = service
  return [
    ...(port === undefined ? [] : [`port: ${port}`]),
    ...(path === `services/${name}` ? [] : [`path: ${scalar(path)}`]),
    ...(service.isAmbiguous ? [`language: ${language}`] : []),
    ...(port === undefined || service.ready === undefined || service.ready === ready
      ? []
      : [`ready: ${scalar(service.ready)}`]),
    ...(prisma?.startsWith('postgres') === true ? ['migrate: npx prisma migrate deploy'] : []),
  ]
}

function serviceQuestions({ name, port, clash, needs }: DraftService): string[] {
  return [
    ...(port === undefined ? [`port: ${clash ?? ''}?`] : []),
    needs.length === 0 ? 'needs: []?' : `needs: [${needs.join(', ')}]?`,
    ...(looksSingle(name) ? ['singleton: true?'] : []),
  ]
}

/** As YAML reads it back inside `{ }`. */
function scalar(text: string): string {
  return /^[A-Za-z./][A-Za-z0-9._/-]*$/.test(text) && !/^(?:true|false|null|\.(?:inf|nan))$/i.test(text)
    ? text
    : JSON.stringify(text)
}
