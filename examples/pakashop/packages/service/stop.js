const LONGEST_DRAIN_MS = 30_000

/**
 * On SIGTERM or SIGINT: no new connections, requests in flight are finished, idle connections closed, then `close` and
 * exit 0. Without closing idle connections, clients that keep theirs would hold the process up for a minute.
 */
export function stopGracefully(server, { state, behaviour, close }) {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => {
      if (behaviour.ignoreTerm || state.stopping) return
      state.stopping = true
      drain(server, close).catch((error) => {
        console.error(error)
        process.exit(1)
      })
    })
  }
}

async function drain(server, close) {
  const closed = new Promise((resolve) => server.close(resolve))
  const idle = setInterval(() => server.closeIdleConnections(), 20)
  const patience = setTimeout(() => server.closeAllConnections(), LONGEST_DRAIN_MS)
  await closed
  clearInterval(idle)
  clearTimeout(patience)
  await close()
  process.exit(0)
}
