import { refusal } from '../../problem/problem.ts'
import type { Refusal } from '../../problem/problem.ts'
import { cutOff } from '../cut-off.ts'
import type { Outcome } from '../host.ts'
import { describeFile } from '../inventory/take-inventory.ts'
import type { Consignment, SentFile } from './consignment.ts'

export interface FailedUpload {
  /** Of the host. */
  readonly name: string
  readonly targets: readonly string[]
}

/** Why an upload did not succeed, from what the host answered. Nothing was laid of what the refusal names. */
export function uploadFailure({ name, targets }: FailedUpload, outcome: Outcome): Refusal {
  const at = `host ${name}, ${targets.join(', ')}`
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
  if (outcome.failure === 'transport') return cutOff(at, said)
  const why = outcome.failure === 'exit' || outcome.failure === undefined ? said : `${outcome.failure}: ${said}`
  return refusal(
    'hosts/upload',
    at,
    `could not be laid: ${why === '' ? 'the host did not say that it was' : why}`,
    'May Drover write to the target folder there?',
  )
}

/**
 * What arrived is not what was announced. Where a file is longer or shorter than it was, the host finds fault with the one
 * after it; so the files here are looked at again.
 */
export async function alteredFile(name: string, consignment: Consignment, content: string): Promise<Refusal> {
  const here = await alteredHere(consignment)
  const { target, path } = placeOf(consignment, here?.content ?? content)
  return refusal(
    'hosts/upload-altered',
    `host ${name}, ${target}`,
    here === undefined ? `${path} was altered on the way` : `${path} was altered here: ${here.file}`,
    here === undefined
      ? 'Nothing was laid. Is the disk or the memory of one of the two machines at fault?'
      : 'Nothing was laid. Remove this artifact from the store and build it again.',
  )
}

async function alteredHere({ files }: Consignment): Promise<SentFile | undefined> {
  for (const sent of files) {
    const { kind, sha256 } = await describeFile(sent.file).catch(() => ({ kind: '', sha256: '' }))
    if (kind + sha256 !== sent.content) return sent
  }
  return undefined
}

function placeOf({ wanted }: Consignment, content: string): { target: string; path: string } {
  for (const { target, inventory } of wanted) {
    const file = inventory.files.find((file) => file.content === content)
    if (file !== undefined) return { target, path: file.path }
  }
  return { target: wanted.map(({ target }) => target).join(', '), path: 'a file' }
}
