import assert from 'node:assert/strict'
import { dirname } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { habitComplaints, nameComplaints, placeComplaints } from './architecture/habits.ts'
import { cycleComplaints, roomComplaints } from './architecture/rooms.ts'
import { sourceFiles, trackedFiles } from './architecture/source.ts'

const repository = dirname(dirname(fileURLToPath(import.meta.url)))
const tracked = trackedFiles(repository)
const sources = sourceFiles(tracked)

describe('architecture', () => {
  it('has something to judge', () => {
    const paths = sources.map((file) => file.path)

    assert.ok(paths.includes('src/problem/problem.ts'), 'git lists no source: is this a checkout?')
    assert.ok(
      sources.flatMap((file) => file.imports).length > 20,
      'almost no imports were found: is the scanner right?',
    )
  })

  it('imports downwards only', () => refuseNone(roomComplaints(sources)))
  it('has no import cycle', () => refuseNone(cycleComplaints(sources)))
  it('keeps the habits of the house', () => refuseNone(habitComplaints(sources)))
  it('names every file and folder after a thing', () => refuseNone(nameComplaints(tracked)))
  it('names no folder of one machine', () => refuseNone(placeComplaints(tracked)))
})

function refuseNone(complaints: readonly string[]): void {
  assert.equal(complaints.length, 0, `\n${complaints.join('\n')}`)
}
