import { tiers } from '../../manifest/graph.ts'
import { graphDot, renderGraph } from '../../manifest/render-graph.ts'
import type { Cli } from '../cli.ts'
import { EXIT } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { requireFleet } from '../manifest-file.ts'

/** In which order services start. */
export async function graph(cli: Cli, options: { readonly dot?: boolean }): Promise<ExitCode> {
  const { fleet } = await requireFleet(cli)
  if (cli.json) {
    const services = fleet.services.map(({ name, needs }) => ({ service: name, needs }))
    cli.document({
      fleet: fleet.name,
      tiers: tiers(fleet.services).map((tier) => tier.map(({ name }) => name)),
      services,
    })
  } else cli.print(options.dot === true ? graphDot(fleet) : renderGraph(fleet))
  return EXIT.done
}
