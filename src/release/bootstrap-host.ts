import { createHash } from 'node:crypto'
import { carryOut } from '../hosts/bootstrap/carry-out.ts'
import { foldersOf } from '../hosts/bootstrap/folders.ts'
import type { Item, Work } from '../hosts/bootstrap/item.ts'
import { lookAt } from '../hosts/bootstrap/look.ts'
import { advice, needsOf } from '../hosts/bootstrap/needs-of.ts'
import { itemOf, planBootstrap } from '../hosts/bootstrap/plan.ts'
import { readPublicKey } from '../hosts/bootstrap/public-keys.ts'
import type { HostState } from '../hosts/bootstrap/state.ts'
import { firstContact } from '../hosts/ssh/login.ts'
import { Refusal, problem, refusal } from '../problem/problem.ts'
import type { BootstrapEvent, BootstrapOrder, BootstrapPlan } from './host-operations.ts'
import { lookThrough, openLogin } from './host-login.ts'
import type { HostLogin } from './host-login.ts'
import type { LookParts } from './look-at-hosts.ts'

export async function planFor(parts: LookParts, order: BootstrapOrder): Promise<BootstrapPlan> {
  const login = await openLogin(parts.access, order.host, order.as)
  try {
    return (await prepare(parts, order, login)).plan
  } finally {
    await login.close()
  }
}

/** Shown, agreed to, carried out, and seen to work. */
export async function* bootstrapHost(
  parts: LookParts,
  order: BootstrapOrder,
  signal: AbortSignal,
): AsyncGenerator<BootstrapEvent> {
  const login = await openLogin(parts.access, order.host, order.as)
  try {
    const { plan, works, state } = await prepare(parts, order, login)
    refuseWhatCannotBe(plan)
    if (order.plan !== undefined && order.plan !== plan.hash) throw planChanged(plan)
    yield { kind: 'plan', plan }
    const changed = works.filter(({ sign }) => sign === 'add' || sign === 'change')
    // With nothing to change, rights are not needed and may be missing.
    const rights = state.login.rights === 'sudo' ? 'sudo' : 'root'
    yield* carryOut(login.host, works, { rights, signal })
    yield* seeItWork(parts, order, { plan, changed })
    yield { kind: 'ended', changed: changed.length }
  } finally {
    await login.close()
  }
}

interface Prepared {
  readonly plan: BootstrapPlan
  readonly works: readonly Work[]
  readonly state: HostState
}

async function prepare(parts: LookParts, order: BootstrapOrder, login: HostLogin): Promise<Prepared> {
  const { host, keys } = order
  refuseOddKeys(keys)
  const supplies = await parts.supplies.for(host)
  const asksForKey = keys.length === 0 && order.as !== undefined
  const needsAccess = needsOf(host, { user: login.user, ...supplies })
  const [state, contact] = await Promise.all([
    lookThrough(login, {
      asRoot: true,
      user: login.user,
      folders: foldersOf(needsAccess),
      ...(needsAccess.node === undefined ? {} : { nodeVersion: needsAccess.node.version }),
    }),
    asksForKey ? firstContact(login.options) : undefined,
  ])
  const fingerprint = contact?.fingerprint
  const access = { given: keys, ...(fingerprint === undefined ? {} : { fingerprint }) }
  const needs = { ...needsAccess, access }
  const works = planBootstrap(needs, state)
  const items = works.map(itemOf)
  const told = {
    host: host.name,
    destination: login.destination,
    user: login.user,
    os: state.os.name,
    machine: state.machine,
    items,
    advice: advice(host, needs, state),
  }
  return { state, works, plan: { ...told, hash: hashOf(told) } }
}

function hashOf({ host, destination, user, items }: Omit<BootstrapPlan, 'hash'>): string {
  return createHash('sha256')
    .update(JSON.stringify([host, destination, user, items]))
    .digest('hex')
}

/** A private key, or half a line: it is not sent anywhere, nor repeated in an error. */
function refuseOddKeys(keys: readonly string[]): void {
  const odd = keys.flatMap((key, index) => (readPublicKey(key) === undefined ? [index + 1] : []))
  if (odd.length === 0) return
  throw refusal(
    'hosts/public-key',
    `key ${odd.join(', ')}`,
    'is not a public key',
    'Give a file such as ~/.ssh/id_ed25519.pub, with a key on each line.',
  )
}

function refuseWhatCannotBe({ host, items }: BootstrapPlan): void {
  const problems = items.flatMap(({ name, sign, what, hint }) =>
    sign === 'cannot' ? [problem(`hosts/cannot-${name}`, `host ${host}, ${name}`, what, hint)] : [],
  )
  if (problems.length > 0) throw new Refusal(problems)
}

function planChanged({ host }: BootstrapPlan): Refusal {
  return refusal(
    'hosts/plan-changed',
    `host ${host}`,
    'the plan is no longer the one that was shown',
    `Run \`drover hosts bootstrap ${host}\` again.`,
  )
}

interface Done {
  readonly plan: BootstrapPlan
  readonly changed: readonly Item[]
}

/** Logs in as releases will, and calls the helper. */
async function* seeItWork(
  { access }: LookParts,
  { host }: BootstrapOrder,
  { plan, changed }: Done,
): AsyncGenerator<BootstrapEvent> {
  const began = performance.now()
  yield { kind: 'begin', item: 'login' }
  const deploy = access.hosts.of(host)
  // A connection that is open goes on with the groups that the user had when it was made.
  if (changed.some(({ name, sign }) => name === 'user' && sign === 'change')) await deploy.close()
  const outcome = changed.length === 0 ? 'refused' : 'failed-restored'
  try {
    const state = await lookAt(deploy, { asRoot: false, user: plan.user, folders: [] })
    if (!state.helperAnswers) throw new Refusal([helperSilent(plan)])
  } catch (error) {
    throw error instanceof Refusal ? new Refusal(error.problems.map(withLoginHint), outcome, { cause: error }) : error
  }
  yield { kind: 'done', item: 'login', ms: performance.now() - began }
}

function helperSilent({ host, user }: BootstrapPlan) {
  return problem(
    'hosts/helper-silent',
    `host ${host}`,
    `${user} is not allowed to call the helper, though everything is laid`,
    'Does /etc/sudoers include /etc/sudoers.d, and does no later rule take it back? `sudo -l` as that user shows it.',
  )
}

function withLoginHint(found: Refusal['problems'][number]) {
  if (found.code !== 'hosts/ssh-denied') return found
  const hint = `Everything is laid. Does sshd_config there name who may log in (AllowUsers, AllowGroups), or keep keys elsewhere (AuthorizedKeysFile)? ${found.hint ?? ''}`
  return { ...found, hint: hint.trim() }
}
