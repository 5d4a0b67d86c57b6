import { docsSections, manifestDocs } from '../../manifest/docs.ts'
import { manifestJsonSchema } from '../../manifest/json-schema.ts'
import type { Cli } from '../cli.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'

/** What may stand in a manifest, as the schema tells it. */
export async function docs(cli: Cli, section: string | undefined): Promise<ExitCode> {
  const text = manifestDocs(section)
  if (cli.json) cli.document({ section: section ?? null, sections: docsSections(), text })
  else cli.print(text)
  return EXIT.done
}

/** The same for editors. */
export async function schema(cli: Cli): Promise<ExitCode> {
  const document = manifestJsonSchema()
  if (cli.json) cli.document(document)
  else cli.print(JSON.stringify(document, null, 2))
  return EXIT.done
}
