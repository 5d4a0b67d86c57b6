import { detectLanguage, LANGUAGE_FILES, languagesBy } from './detect.ts'
import type { FileView } from './detect.ts'
import type { Language } from './fleet.ts'
import { pathOf } from './resolve.ts'
import type { Manifest } from './schema.ts'
import type { Complaints } from './source.ts'

/** A look into a repository may be a process of git; so many run at once. */
const AT_ONCE = 16

/** Finds each service's folder and language, and complains about those that are not there. */
export async function checkFolders(
  manifest: Manifest,
  complaints: Complaints,
  view: FileView | undefined,
): Promise<Map<string, Language>> {
  const languages = new Map<string, Language>()
  await eachOf(Object.keys(manifest.services), async (name) => {
    const language = await languageOf(manifest, name, { complaints, view })
    if (language !== undefined) languages.set(name, language)
  })
  if (view !== undefined) await checkShared(manifest, complaints, view)
  return languages
}

async function languageOf(
  manifest: Manifest,
  name: string,
  look: { complaints: Complaints; view: FileView | undefined },
): Promise<Language | undefined> {
  const { complaints, view } = look
  const given = manifest.services[name]?.language
  const path = ['services', name]
  const isKnown = given !== undefined || complaints.says(...path, 'language')
  if (view === undefined) {
    if (!isKnown)
      complaints.error(
        'no-language',
        path,
        'has no language, and there is no repository here to find it in',
        'Give it `language`.',
      )
    return given
  }
  if (complaints.says(...path, 'path') && manifest.services[name]?.path === undefined) return given

  const folder = pathOf(manifest, name)
  const { language, by, folderExists } = await detectLanguage(view, folder)
  if (!folderExists) {
    complaints.error(
      'no-folder',
      [...path, 'path'],
      `there is no folder ${JSON.stringify(folder)} in the repository`,
      'Give the service a `path`, or commit the folder.',
    )
  } else if (!isKnown && language === undefined) {
    const looked = LANGUAGE_FILES.join(', ')
    complaints.error(
      'no-language',
      path,
      `cannot tell the language: ${JSON.stringify(folder)} has none of ${looked}`,
      'Give it `language`; language command needs a `start` too.',
    )
  } else if (!isKnown && languagesBy(by).size > 1) {
    complaints.warning(
      'which-language',
      path,
      `is taken for ${language}, since it has ${by.join(' and ')}`,
      `Is that right? Write language: ${language} to be sure.`,
    )
  }
  return given ?? language
}

async function checkShared(manifest: Manifest, complaints: Complaints, view: FileView): Promise<void> {
  const lists = [
    { path: ['shared'], shared: manifest.shared ?? [] },
    { path: ['defaults', 'shared'], shared: manifest.defaults?.shared ?? [] },
    ...Object.entries(manifest.services).map(([name, { shared }]) => ({
      path: ['services', name, 'shared'],
      shared: shared ?? [],
    })),
  ]
  const entries = lists.flatMap(({ path, shared }) => shared.map((file, index) => ({ path: [...path, index], file })))
  await eachOf(entries, async ({ path, file }) => {
    if (await view.exists(file)) return
    complaints.warning(
      'no-shared',
      path,
      `there is no ${JSON.stringify(file)} in the repository, so no change of it will be seen`,
    )
  })
}

async function eachOf<T>(entries: readonly T[], act: (entry: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < entries.length; start += AT_ONCE) {
    await Promise.all(entries.slice(start, start + AT_ONCE).map(act))
  }
}
