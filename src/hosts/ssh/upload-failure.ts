import { refusal } from '../../problem/problem.ts'
import type { Refusal } from '../../problem/problem.ts'
import type { Outcome } from '../host.ts'
import { fileOf } from '../inventory/inventory.ts'
import type { Consignment } from './consignment.ts'

export interface FailedUpload {
  /** Of the host. */
  readonly name: string
  readonly targets: readonly string[]
  /** Absent when nothing had been sent yet. */
  readonly consignment?: Consignment
}

/** Why an upload did not succeed, from what the host answered. Nothing was laid of what the refusal names. */
export function uploadFailure({ name, targets, consignment }: FailedUpload, outcome: Outcome): Refusal {
  const at = `host ${name}, ${targets.join(', ')}`
  const altered = /^(altered|cut) (\w+)$/m.exec(outcome.stdout)
  if (altered !== null && consignment !== undefined) return alteredFile(name, consignment, altered[2] ?? '')
  const said = outcome.stderr.trim().split('\n').slice(-3).join('; ')
  if (/^full$/m.test(outcome.stdout)) {
    return refusal(
      'hosts/disk-full',
      at,
      `could not be laid: ${said}`,
      'Free space or inodes on the host, then release again.',
    )
  }
  if (outcome.failure === 'not-found') {
    return refusal('hosts/missing-program', at, `could not be laid: ${said}`, 'Install the package perl-base there.')
  }
  const why = outcome.failure === 'exit' || outcome.failure === undefined ? said : `${outcome.failure}: ${said}`
  return refusal(
    'hosts/upload',
    at,
    `could not be laid: ${why === '' ? 'the host did not say that it was' : why}`,
    'May Drover write to the target folder there?',
  )
}

function alteredFile(name: string, { wanted }: Consignment, content: string): Refusal {
  for (const { target, inventory } of wanted) {
    const file = inventory.records.map(fileOf).find((file) => file?.content === content)
    if (file === undefined) continue
    return refusal(
      'hosts/upload-altered',
      `host ${name}, ${target}`,
      `${file.path} is not what was sent when it arrived`,
      'Nothing was laid. Was the artifact changed meanwhile? If not, the disk or the memory of one side is at fault.',
    )
  }
  return refusal('hosts/upload-altered', `host ${name}`, 'what arrived is not what was sent')
}
